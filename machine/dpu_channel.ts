/**
 * The channel between a DPU and the management controller beside it, as software on the DPU has it: a FIFO of whole
 * messages in each direction, reached by `SMC #n`, as the boot stream of real ones is by firmware at EL3. Shared by the
 * monitor that keeps the FIFO, firmware that calls it, and the controller at the other end.
 */

/** Name of the port of a link of messages. */
export const CHANNEL_PORT = "bmc";

/**
 * Immediates of SMC, beside those of UEFI's services.
 * - `SEND`: X0 = address, X1 = bytes; X0 becomes 0, or -1 where they cannot be read.
 * - `RECEIVE`: X0 = address, X1 = room; X0 becomes the bytes of the oldest message, 0 without one, or -1 where it does
 *   not fit or cannot be written, and stays.
 */
export const CHANNEL_CALL = { SEND: 0x5300, RECEIVE: 0x5301 } as const;

/** Most bytes of a message, and most messages that wait; more are refused. */
export const CHANNEL = { MESSAGE: 0x1_0000, WAITING: 16 } as const;

/** Bytes of a message before its data. */
export const MESSAGE_HEAD = 128;

/**
 * Kinds of messages: the first word. All integers are little-endian; see `MESSAGE_FIELDS`.
 *
 * From the DPU:
 * - `ready`: firmware has begun and waits a moment; `flags` bit 0: an installer is staged. `size` is what a volatile
 *   disk can have, `model` the DPU's.
 * - `want`: it has all up to `offset` of the image with this digest.
 * - `refused`: it does not take the image; `code` says why (`REFUSALS`).
 * - `staged`: the image is a volatile disk, and the next boot is from it.
 * - `booting`: an entry is entered; `flags` is its number, `code` 0 for the volatile disk and 1 for non-volatile memory,
 *   `version` that of what is booted.
 * - `stranded`: there is nothing to boot.
 *
 * To the DPU:
 * - `proceed`: boot.
 * - `offer`: an image of `size` bytes with this digest, for a model.
 * - `chunk`: data at `offset`.
 */
// deno-fmt-ignore
export const MESSAGE = {
  ready: 1, want: 2, refused: 3, staged: 4, booting: 5, stranded: 6,
  proceed: 16, offer: 17, chunk: 18,
} as const;

/** Places of fields: of 4 bytes each, but 8 of offset and size, 16 of the model, 32 of the digest (SHA-256). */
// deno-fmt-ignore
export const MESSAGE_FIELDS = {
  kind: 0, code: 4, flags: 8, version: 12, offset: 16, size: 24, model: 32, digest: 48,
} as const;

/** Why an image is refused, by code. */
export const REFUSALS = [
  "",
  "it is for another model",
  "it is larger than the volatile disk can be",
  "its digest is not the one that was offered",
  "it is no image of this machine",
] as const;
