/** The models on which traces are replayed, each composed as QEMU's board was for the recording. */
import { type PhysicalAddress, physicalAddress } from "../../../machine/address.ts";
import { Clock } from "../../../machine/clock.ts";
import { FlashCfi } from "../../../machine/devices/flash_cfi.ts";
import { Dma } from "../../../machine/devices/dma.ts";
import { EventHub } from "../../../machine/events.ts";
import { FwCfg, type FwCfgItem } from "../../../machine/devices/fw_cfg.ts";
import { GpioPl061 } from "../../../machine/devices/gpio_pl061.ts";
import { RtcPl031 } from "../../../machine/devices/rtc_pl031.ts";
import { UartPl011 } from "../../../machine/devices/uart_pl011.ts";
import { type MappedDevice, PhysicalMemory } from "../../../machine/memory/physical.ts";
import type { ConfigurationInput } from "../../../machine/configuration.ts";
import { buildGic } from "./gic_support.ts";
import { buildMachine } from "./pci/board_support.ts";
import { Wire } from "./support.ts";
import type { TraceTarget } from "./trace.ts";

/** Plain memory as a trace meets it. */
function memoryFrame(name: string, memory: PhysicalMemory, base: PhysicalAddress): MappedDevice {
  return {
    name,
    read: (offset, size) =>
      memory.readBytes(physicalAddress(base + offset), size).reduceRight(
        (value, byte) => value * 256 + byte,
        0,
      ),
    write: (offset, size, value) =>
      memory.writeBytes(
        physicalAddress(base + offset),
        Uint8Array.from({ length: size }, (_, at) => value >>> (8 * at)),
      ),
  };
}

function gicTarget(cpuCount: number, security: boolean): TraceTarget {
  const { gic, cpus } = buildGic(cpuCount, security);
  const lines = Array.from(
    { length: 288 },
    (_, n) => n < 16 ? undefined : n < 32 ? gic.privateLine(0, n, "test") : gic.sharedLine(n, "test"),
  );
  return {
    frames: [
      { base: 0x0800_0000, size: 0x1000, device: gic.distributor },
      { base: 0x0801_0000, size: 0x2000, device: gic.cpuInterface },
      { base: 0x0803_0000, size: 0x1000, device: gic.virtualControl },
      { base: 0x0804_0000, size: 0x2000, device: gic.virtualCpuInterface },
    ],
    setInterrupt: (interrupt, level) => lines[interrupt]!.set(level),
    levels: (cpu) => {
      const { irq, fiq, virtualIrq, virtualFiq } = cpus[cpu]!;
      return [irq, fiq, virtualIrq, virtualFiq].map(({ level }) => level ? 1 : 0).join("");
    },
  };
}

function flashTarget(): TraceTarget {
  const base = physicalAddress(0x0400_0000), size = 0x8_0000;
  const memory = new PhysicalMemory(0, size);
  const flash = new FlashCfi({ name: "flash1", base, memory });
  const region = memory.addRegion("flash1", base, size, { device: flash });
  flash.connect(region);
  const array = memoryFrame("flash1", memory, base);
  const bank: MappedDevice = {
    name: "flash1",
    read: (...access) => region.direct ? array.read(...access) : flash.read(access[0], access[1]),
    write: (...access) => flash.write(...access),
  };
  return { frames: [{ base, size, device: bank }] };
}

/** Names and sizes of QEMU's own files when the trace was recorded. */
// deno-fmt-ignore
const QEMU_FILES: readonly [string, number][] = [
  ["bios-geometry", 0], ["bootorder", 0], ["etc/acpi/rsdp", 36], ["etc/acpi/tables", 131072], ["etc/boot-fail-wait", 4],
  ["etc/smbios/smbios-anchor", 24], ["etc/smbios/smbios-tables", 266], ["etc/table-loader", 3072], ["etc/tpm/log", 0],
];

function fwCfgTarget(): TraceTarget {
  const base = physicalAddress(0x4100_0000), size = 0x1_0000;
  const memory = new PhysicalMemory(0, size);
  memory.addRegion("ram", base, size);
  const file = (name: string, text: string): FwCfgItem => ({
    file: name,
    bytes: new TextEncoder().encode(text),
  });
  const device = new FwCfg({
    name: "fwCfg",
    dma: new Dma("fwCfg", memory, new EventHub(new Clock())),
    items: [
      file("opt/test/two", "0123456789abcdef0123456789abcdef"),
      ...QEMU_FILES.map(([name, size]) => ({ file: name, bytes: new Uint8Array(size) })),
      file("opt/test/one", "hello"),
    ],
  });
  const ram = memoryFrame("ram", memory, base);
  return { frames: [{ base: 0x0902_0000, size: 0x18, device }, { base, size, device: ram }] };
}

function rtcTarget(): TraceTarget {
  const device = new RtcPl031({ name: "rtc", clock: new Clock(), line: new Wire(), base: 1767225600 });
  return { frames: [{ base: 0x0901_0000, size: 0x1000, device }] };
}

function gpioTarget(): TraceTarget {
  const device = new GpioPl061({ name: "gpio", line: new Wire() });
  return {
    frames: [{ base: 0x0903_0000, size: 0x1000, device }],
    setGpio: (line, level) => device.drive(line, level),
  };
}

/** A whole board, by physical addresses; its memory from where nothing else has written. */
function boardTarget(input: ConfigurationInput | unknown): TraceTarget {
  const { memory } = buildMachine(input).board;
  const base = physicalAddress(0x4100_0000);
  return { frames: [...memory.ranges, { base, size: 2 ** 20, device: memoryFrame("ram", memory, base) }] };
}

function uartTarget(): TraceTarget {
  const device = new UartPl011({ name: "uart0", line: new Wire(), transmitted: () => {} });
  return {
    frames: [{ base: 0x0900_0000, size: 0x1000, device }],
    send: (byte) => device.receive(Uint8Array.of(byte)),
  };
}

/** A fresh model for each trace, by the trace's name. */
// deno-fmt-ignore
export const TRACE_TARGETS = {
  gic_v2:         () => gicTarget(1, false),
  gic_v2_virtual: () => gicTarget(1, false),
  gic_v2_cpus:    () => gicTarget(4, true),
  flash_cfi:      flashTarget,
  fw_cfg:         fwCfgTarget,
  rtc_pl031:      rtcTarget,
  gpio_pl061:     gpioTarget,
  pcie:           () => boardTarget({ highmem: false, devices: [{ driver: "virtio-rng-pci" }] }),
  gic_v3_its:     () => boardTarget({ gicVersion: 3, cpus: 2 }),
  uart_pl011:     uartTarget,
} as const satisfies Record<string, () => TraceTarget>;

/** The name of a trace. */
export type TraceName = keyof typeof TRACE_TARGETS;

/** All names. */
export const TRACE_NAMES = Object.keys(TRACE_TARGETS) as TraceName[];
