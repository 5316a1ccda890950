/** EFI_STATUS (UEFI 2.10 appendix D). */

const ERROR = 1n << 63n;

/** The values that services give, by the specification's name without `EFI_`. */
// deno-fmt-ignore
export const EFI_STATUS = {
  SUCCESS: 0n, INVALID_PARAMETER: ERROR | 2n, UNSUPPORTED: ERROR | 3n, BUFFER_TOO_SMALL: ERROR | 5n,
  DEVICE_ERROR: ERROR | 7n, WRITE_PROTECTED: ERROR | 8n, OUT_OF_RESOURCES: ERROR | 9n,
  VOLUME_CORRUPTED: ERROR | 10n, NOT_FOUND: ERROR | 14n, NO_MAPPING: ERROR | 17n,
} as const;

/** A service ends with a status that is an error. */
export class EfiError extends Error {
  /** Name of the class. */
  override name = "EfiError";

  /** `status` is what the caller gets in X0. */
  constructor(readonly status: bigint) {
    super(`EFI_STATUS 0x${status.toString(16)}`);
  }
}
