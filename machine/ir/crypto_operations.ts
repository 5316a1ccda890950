/** IR operations of the cryptographic instructions: rounds of AES and SHA, carry-less products. */
import type { OperationRow } from "./operation.ts";

/** Every operation. */
// deno-fmt-ignore
export const CRYPTO_OPERATIONS = {
} as const satisfies Record<string, OperationRow>;

/** Name of such an operation. */
export type CryptoOperation = keyof typeof CRYPTO_OPERATIONS;
