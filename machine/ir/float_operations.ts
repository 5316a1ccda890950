/**
 * IR operations on floating-point numbers. A node's width is that of the vector or scalar; its first immediate is the
 * format's width, 16, 32 or 64 bits; vectors are computed lane by lane. They read FPCR and accumulate FPSR.
 */
import type { OperationRow } from "./operation.ts";

/** Every operation. */
// deno-fmt-ignore
export const FLOAT_OPERATIONS = {
} as const satisfies Record<string, OperationRow>;

/** Name of such an operation. */
export type FloatOperation = keyof typeof FLOAT_OPERATIONS;
