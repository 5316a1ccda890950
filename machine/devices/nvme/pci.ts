/** The PCI function of an NVMe controller, with QEMU's identity, BAR and capabilities. */
import type { EventHub } from "../../events.ts";
import type { PhysicalMemory } from "../../memory/physical.ts";
import { enhancedAllocation } from "../pci/enhanced_allocation.ts";
import { type PciCapability, PciFunction } from "../pci/function.ts";
import { IO_QUEUES } from "./queues.ts";

/** What answers. */
export interface NvmeRegisters {
  /** Reads a register, an offset from the start of them all. */
  read(offset: number, size: number): number;
  /** Writes one. */
  write(offset: number, size: number, value: number): void;
  /** Configuration space was written. */
  configured(): void;
}

/** Bytes that the registers take up, of which the second half is for the vectors of MSI-X. */
export const NVME_SIZE = 0x4000;

// deno-fmt-ignore
const IDENTITY = {
  vendor: 0x1b36, device: 0x0010, classCode: 0x01_08_02, revision: 2, subsystemVendor: 0x1af4, subsystem: 0x1100,
};

const POWER_MANAGEMENT = 0x01;
const PCI_EXPRESS = 0x10;

/** An Express endpoint with one link of 2.5 GT/s; without a function-level reset. */
// deno-fmt-ignore
const EXPRESS_BODY = [
  0x92, 0x00,             // an integrated endpoint
  0x00, 0x80, 0x00, 0x00, // device capabilities: role-based error reporting
  0x00, 0x00, 0x00, 0x00, // device control and status
  0x11, 0x04, 0x00, 0x00, // link capabilities
  0x00, 0x00, 0x11, 0x00, // link control and status
  ...new Array(16).fill(0),
  0x00, 0x00, 0x30, 0x00, // device capabilities 2
  ...new Array(20).fill(0),
];
/** Of device control, the four kinds of error that are reported. */
const EXPRESS_WRITABLE = EXPRESS_BODY.map((_, at) => at === 6 ? 0x0f : 0);

/** Behind the vectors, or what is in their place. */
const CAPABILITIES: readonly PciCapability[] = [
  { id: PCI_EXPRESS, offset: 0x80, body: EXPRESS_BODY, writable: EXPRESS_WRITABLE },
  { id: POWER_MANAGEMENT, offset: 0x60, body: [3, 0, 8, 0, 0, 0], writable: [0, 0, 3] },
];

/** What a function is built on. */
interface Services {
  readonly name: string;
  readonly events: EventHub;
  readonly memory: PhysicalMemory;
}

/** Builds the function. */
export function nvmeFunction(options: Services, { read, write, configured }: NvmeRegisters): PciFunction {
  return new PciFunction({
    name: options.name,
    identity: IDENTITY,
    express: true,
    interruptPin: 1,
    bars: [{ index: 0, kind: "memory64", prefetchable: false, size: NVME_SIZE, read, write }],
    msix: { vectors: IO_QUEUES + 1, capability: 0x40, bar: 0, table: 0x2000, pending: 0x3000 },
    capabilities: CAPABILITIES,
    configured,
  }, options);
}

/** The same at an address that it has for good, told by Enhanced Allocation, and with a pin alone. */
export function fixedNvmeFunction(
  options: Services,
  base: number,
  { read, write, configured }: NvmeRegisters,
): PciFunction {
  const size = NVME_SIZE;
  return new PciFunction({
    name: options.name,
    identity: IDENTITY,
    express: true,
    interruptPin: 1,
    bars: [{ index: 0, kind: "memory64", prefetchable: false, size, fixed: base, read, write }],
    capabilities: [enhancedAllocation(0x40, [{ bar: 0, base, size }]), ...CAPABILITIES],
    configured,
  }, options);
}
