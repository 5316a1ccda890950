/** The PCI function of an NVMe controller, with QEMU's identity, BAR and capabilities. */
import type { EventHub } from "../../events.ts";
import type { PhysicalMemory } from "../../memory/physical.ts";
import { PciFunction } from "../pci/function.ts";
import { IO_QUEUES } from "./queues.ts";

/** What answers. */
interface NvmeRegisters {
  read(offset: number, size: number): number;
  write(offset: number, size: number, value: number): void;
  /** Configuration space was written. */
  configured(): void;
}

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

/** Builds the function. */
export function nvmeFunction(
  options: { readonly name: string; readonly events: EventHub; readonly memory: PhysicalMemory },
  { read, write, configured }: NvmeRegisters,
): PciFunction {
  return new PciFunction({
    name: options.name,
    identity: {
      vendor: 0x1b36,
      device: 0x0010,
      classCode: 0x01_08_02,
      revision: 2,
      subsystemVendor: 0x1af4,
      subsystem: 0x1100,
    },
    express: true,
    interruptPin: 1,
    bars: [{ index: 0, kind: "memory64", prefetchable: false, size: 0x4000, read, write }],
    msix: { vectors: IO_QUEUES + 1, capability: 0x40, bar: 0, table: 0x2000, pending: 0x3000 },
    capabilities: [
      { id: PCI_EXPRESS, offset: 0x80, body: EXPRESS_BODY, writable: EXPRESS_WRITABLE },
      { id: POWER_MANAGEMENT, offset: 0x60, body: [3, 0, 8, 0, 0, 0], writable: [0, 0, 3] },
    ],
    configured,
  }, options);
}
