/** `clockwork`: sends texts at given times after its power-on, such as power switched on and off, or keys typed. */
import { z } from "zod";
import { type NodeProgram, nodeProgram } from "../node_program.ts";

const options = z.strictObject({
  /** What is sent, in order. */
  sends: z.array(z.strictObject({
    /** Nanoseconds after power-on. */
    at: z.int().min(0).max(Number.MAX_SAFE_INTEGER),
    port: z.string(),
    text: z.string().max(4096),
  })).max(4096).default([]),
});

/** The program. */
export const clockwork: NodeProgram = nodeProgram({
  name: "clockwork",
  options,
  start: ({ sends }, site) => {
    const start = site.now, plan = sends.toSorted((a, b) => a.at - b.at), encoder = new TextEncoder();
    let done = 0;
    const wind = (): void => site.wakeAt(plan[done] === undefined ? Infinity : start + plan[done]!.at);
    wind();
    return {
      woken() {
        const { port, text } = plan[done++]!;
        site.send(port, encoder.encode(text));
        wind();
      },
      received(port, bytes) {
        site.tell("received", `${port} ${bytes.toHex().slice(0, 256)}`);
      },
      state: () => ({ start, done }),
    };
  },
});
