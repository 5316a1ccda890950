/** `echo`: sends back what arrives, at the port where it arrived. */
import { z } from "zod";
import { type NodeProgram, nodeProgram } from "../node_program.ts";

/** The program. */
export const echo: NodeProgram = nodeProgram({
  name: "echo",
  options: z.strictObject({}),
  start: (_options, site) => {
    let count = 0;
    return {
      received(port, bytes) {
        count++;
        site.send(port, bytes);
      },
      state: () => ({ count }),
    };
  },
});
