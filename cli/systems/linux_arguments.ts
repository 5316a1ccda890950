/** What the kernels of guests are told, so that a check's boot takes no longer than it has to. */

/** No tests of ciphers, which are six tenths of the steps of Debian's boot; and a kernel that panics ends the run. */
export const QUICK_KERNEL = "panic=-1 cryptomgr.notests=1";
