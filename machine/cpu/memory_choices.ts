/** The choices of memory accesses: what the Arm ARM leaves to a CPU, what this one does, and what QEMU 7.2 does. */
import { type ArchitectureChoice, choice } from "./implementation_defined.ts";

const DEFINED = "IMPLEMENTATION DEFINED", UNPREDICTABLE = "CONSTRAINED UNPREDICTABLE", UNKNOWN = "UNKNOWN";

/** Every choice of translation, memory access, aborts, monitors, and AT, DC, IC and TLBI instructions. */
// deno-fmt-ignore
export const MEMORY_CHOICES: readonly ArchitectureChoice[] = [
  // Translation.
  choice("a granule that is not implemented, or a reserved TGx", "D13.2, TCR_EL1", DEFINED, "4 KiB"),
  choice("TxSZ below 16 or above 39", "D5.2, TCR_EL1.T0SZ", UNPREDICTABLE, "level 0 translation fault"),
  choice("VTCR_EL2.T0SZ for more than the implemented physical address size", "D5.2.6", UNPREDICTABLE, "level 0 translation fault", "compared with PS instead"),
  choice("VTCR_EL2.SL0 that needs a larger physical address size", "D5.2.6", "decided", "compared with the implemented size", "compared with PS"),
  choice("level of a stage 2 fault on an address out of range, or with SL0 and T0SZ in conflict", "D5.2", "decided", "0", "the first level"),
  choice("level of a stage 2 fault on a stage 1 walk", "D13.2, ESR_EL2", "decided", "that of the stage 2 lookup", "that of the stage 1 lookup"),
  choice("block descriptors at a level that has none", "D5.3", "decided", "translation fault, before the address is looked at", "address size is checked first; a 64 KiB level 1 block translates"),
  choice("bits of TTBR below the size of the table", "D13.2, TTBR0_EL1", UNPREDICTABLE, "ignored"),
  choice("the Contiguous bit", "D5.3.2", UNPREDICTABLE, "ignored"),
  choice("reserved encodings of MAIR_ELx.Attr and of MemAttr", "D13.2, MAIR_EL1", UNPREDICTABLE, "Attr as it stands, Device when bits 7–4 are zero; MemAttr xx00 as Non-cacheable"),
  choice("HCR_EL2.PTW without stage 2", "D13.2, HCR_EL2", "decided", "no effect", "a permission fault"),
  choice("HCR_EL2.TGE without E2H: accesses of EL0, and AT of EL1&0", "D13.2, HCR_EL2", "decided", "stage 1 is off", "stage 1 translates"),
  choice("stage 2 of tables that NSTable makes Non-secure, in Secure state", "D5.4", "decided", "none", "HCR_EL2 acts"),
  choice("combining Device of one stage with Normal of the other", "D5.5", "decided", "the Device type", "mixed with bits 3–0 of the Normal attribute"),
  choice("tables in a device", "D5.2", DEFINED, "external abort on the walk", "the device is read"),
  choice("TLB entries that no invalidation dropped", "D5.10", UNPREDICTABLE, "never seen: every access behaves as if it walked the tables; with --strict tlb used", "seen"),
  choice("instruction fetch from Device memory", "D5.4.7", UNPREDICTABLE, "as from Normal Non-cacheable memory; a device is read like by a load"),
  // Alignment.
  choice("misaligned access to Device memory, also with stage 1 off", "D5.5, B2.7", "decided", "alignment fault", "done byte by byte"),
  choice("misaligned access whose second page is Device memory", "B2.5", UNPREDICTABLE, "alignment fault, nothing is done"),
  choice("misaligned access to Normal memory behind which is a device", "B2.7", DEFINED, "byte by byte, the lowest address first"),
  choice("DC ZVA to Device memory", "C5.3, DC ZVA", "decided", "alignment fault", "zeros are written"),
  choice("misaligned PC and an instruction abort", "D1.13.4", "decided", "PC alignment fault", "instruction abort"),
  // Aborts.
  choice("ESR_ELx.EA", "D13.2, ESR_EL1", DEFINED, "0: nothing answers"),
  choice("external aborts", "D4.4", DEFINED, "synchronous; FAR_ELx is valid"),
  choice("SCR_EL3.EA", "D1.13", "decided", "external aborts are taken to EL3", "no effect"),
  choice("ISV of data aborts that EL2 takes but stage 2 did not raise", "D13.2, ESR_EL2", "decided", "0", "1 for a load or store of one register"),
  choice("HPFAR_EL2 of stage 2 permission, alignment and external aborts", "D13.2, HPFAR_EL2", UNKNOWN, "the faulting IPA"),
  choice("FAR_ELx bits 63–56 of a tagged address", "D13.2, FAR_EL1", UNKNOWN, "the tag"),
  choice("FAR_ELx of an access to two pages", "D13.2, FAR_EL1", "decided", "the first byte in the page that faults"),
  choice("pairs of which the second access faults", "B2.5, C6.2 STP", UNPREDICTABLE, "the first store is done; no register is loaded"),
  // Exclusive monitors.
  choice("exclusives reservation granule", "B2.9.3", DEFINED, "64 bytes"),
  choice("store-exclusive to another address, or of another size, than the load-exclusive", "B2.9.5", UNPREDICTABLE, "fails", "fails at another address; the size does not count, values do"),
  choice("the CPU's own plain stores to the granule", "B2.9.2", DEFINED, "leave its monitor as it is", "same, when they do not change the value"),
  choice("other CPUs' stores of the same value, and DMA", "B2.9.2", "decided", "clear the monitor", "do not: values are compared"),
  choice("faults of a store-exclusive with the monitor open to nothing", "B2.9.5", DEFINED, "alignment only; then it fails without a translation", "none"),
  choice("exclusives to Device memory or to a device", "B2.9.5", DEFINED, "work as on memory"),
  choice("exception return", "B2.9.4", "decided", "clears the monitor"),
  // Atomic operations.
  choice("CAS and CASP whose comparison fails", "C6.2, CAS", DEFINED, "the old value is written: it needs permission, and clears other CPUs' monitors"),
  choice("atomic operations on Device memory or a device", "B2.2.7", DEFINED, "work as on memory: a read, then a write"),
  choice("a misaligned LDAPR", "B2.5.2", "decided", "alignment fault", "done"),
  // Maintenance.
  choice("DC by address", "D4.4.8", "decided", "translation faults, permission faults at EL0 and of DC IVAC", "never faults"),
  choice("IC IVAU without permission to read, at EL0", "C5.3, IC IVAU", DEFINED, "no permission fault"),
  choice("DC and IC", "D4.4", DEFINED, "caches are invisible: nothing else happens, but with --strict icache or dcache"),
  choice("what a strict TLB caches of control registers", "D5.10, MAIR_EL1, SCTLR_EL1, HCR_EL2", DEFINED, "MAIR's attribute, not WXN, M or VM; nothing while stage 1 is off", "nothing"),
  choice("strict TLB: entries that overlap", "D5.10.1, break-before-make", UNPREDICTABLE, "the smallest is used, no conflict abort", "the latest"),
  choice("strict TLB: descriptors that make a permission fault", "D5.10.1", DEFINED, "entered, and decided by the entry"),
  choice("strict TLB: table descriptors", "D5.10.1", DEFINED, "not cached"),
  choice("strict TLB: HCR_EL2.VM 0 while combined entries of the VMID exist", "D13.2, HCR_EL2", DEFINED, "their stage 1 is used"),
  choice("strict caches: Write-Through memory, and inner and outer attributes that differ", "D4.4", DEFINED, "not in data caches; in instruction caches when both are cacheable"),
  choice("strict caches: uncached accesses to what a cache holds", "B2.8, mismatched attributes", UNPREDICTABLE, "memory is used, lines stay"),
  choice("strict caches: lines evicted by others", "D4.4", DEFINED, "none: caches are unbounded"),
  choice("strict caches: reset", "D4.4", DEFINED, "a CPU's TLB and instruction cache are emptied by its reset, the data cache by the machine's, without cleaning"),
  choice("an AT with a fault that is an exception", "D5.2.11", UNKNOWN, "PAR_EL1 keeps its value"),
  choice("PAR_EL1.SH of Device and Normal Non-cacheable memory", "D13.2, PAR_EL1", "decided", "0b10", "the descriptor's"),
  choice("PAR_EL1.NS of a Non-secure regime", "D13.2, PAR_EL1", UNKNOWN, "1"),
];
