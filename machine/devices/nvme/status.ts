/** Status of NVMe commands (NVM Express 1.4, section 4.6.1): type and code as they stand in a completion. */

/** Do Not Retry. */
const DNR = 0x4000;

/** What a command ends with; those that would fail again say so. */
// deno-fmt-ignore
export const STATUS = {
  success:                   0x000,
  invalidOpcode:       DNR | 0x001,
  invalidField:        DNR | 0x002,
  fusedOperation:            0x002,
  dataTransferError:         0x004,
  invalidNamespace:    DNR | 0x00b,
  sequenceError:       DNR | 0x00c,
  invalidPrpOffset:    DNR | 0x013,
  namespaceProtected:  DNR | 0x020,
  lbaOutOfRange:       DNR | 0x080,
  invalidCompletionQueue: DNR | 0x100,
  invalidQueue:        DNR | 0x101,
  invalidQueueSize:    DNR | 0x102,
  abortLimitExceeded:  DNR | 0x103,
  eventLimitExceeded:        0x105,
  invalidVector:       DNR | 0x108,
  invalidQueueDeletion:      0x10c,
  featureNotSaveable:  DNR | 0x10d,
  featureNotChangeable: DNR | 0x10e,
  featureNotOfNamespace: DNR | 0x10f,
  compareFailure:            0x285,
} as const;
