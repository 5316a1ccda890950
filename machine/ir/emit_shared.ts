/** WebAssembly forms that are too big to be written wherever an operation is: calls of functions that bodies share. */
import type { SharedFunction } from "../wasm/code_writer.ts";
import type { Emit } from "./operation.ts";

/** Pushes arguments and calls a function. */
export function emitShared(shared: SharedFunction): Emit {
  return (_node, e) => {
    for (let i = 0; i < shared.parameters.length; i++) e.argument(i);
    e.code.callShared(shared);
  };
}
