/** Every load and store of one general register, emulated after an abort, against the same on a real device. */
import { assertEquals } from "@std/assert";
import { physicalAddress } from "../../machine/address.ts";
import { assembleLine } from "../../machine/a64/assembly.ts";
import { ROWS } from "../../machine/a64/rows.ts";
import type { Cpu } from "../../machine/cpu/cpu.ts";
import { returnFromException } from "../../machine/cpu/exception_return.ts";
import { selectStackPointer } from "../../machine/cpu/stack_pointer.ts";
import { INDEX } from "../../machine/cpu/system_register_index.ts";
import { ReferenceEngine } from "../../machine/engine/reference.ts";
import type { MappedDevice } from "../../machine/memory/physical.ts";
import { decodeLoadStore } from "../../hypervisor/load_store.ts";
import { decodeMmio, performMmio } from "../../hypervisor/mmio.ts";
import { DEVICE_RW, MEMORY_RWX } from "../../hypervisor/stage2_attributes.ts";
import { VirtualBus } from "../../hypervisor/virtual_bus.ts";
import { setRegisters } from "../machine/cpu/access_support.ts";
import { eventsOf, RAM, testCpus } from "../machine/cpu/support.ts";
import { type MonitoredCpus, monitoredCpus, POOL } from "./support.ts";

const DEVICE = 0x0a00_0000;

/** Reads as bytes that tell addresses and have their highest bits set; remembers what it is asked. */
class Echo implements MappedDevice {
  readonly name = "echo";
  readonly transfers: string[] = [];
  read(offset: number, size: number): number {
    this.transfers.push(`read ${offset} ${size}`);
    const view = new DataView(Uint8Array.of(0x80, 0x91, 0xa2, 0xb3, 0xc4, 0xd5, 0xe6, 0xf7, 0x88).buffer);
    const at = offset % 4;
    return size === 1 ? view.getUint8(at) : size === 2 ? view.getUint16(at, true) : view.getUint32(at, true);
  }
  write(offset: number, size: number, value: number): void {
    this.transfers.push(`write ${offset} ${size} ${value.toString(16)}`);
  }
}

// deno-fmt-ignore
const INSTRUCTIONS = [
  ...["ldrb w1", "ldrsb w1", "ldrsb x1", "ldrh w1", "ldrsh w1", "ldrsh x1", "ldr w1", "ldr x1", "ldrsw x1", "strb w1", "strh w1", "str w1", "str x1", "str xzr", "ldr xzr"]
    .flatMap((start) => [`${start}, [x2]`, `${start}, [x2, #16]`, `${start}, [x2, x3]`, `${start}, [x2, w3, uxtw]`,
      `${start}, [x2], #-8`, `${start}, [x2, #24]!`, `${start}, [sp], #16`, `${start}, [sp, #-16]!`,
      `${start.replace(/^(ld|st)/, "$1u")}, [x2, #-8]`, `${start.replace(/^(ld|st)/, "$1t")}, [x2, #8]`]),
  "ldar w1, [x2]", "ldar x1, [x2]", "ldarb w1, [x2]", "ldarh w1, [x2]",
  "stlr w1, [x2]", "stlr x1, [x2]", "stlrb w1, [x2]", "stlrh w1, [x2]",
];

/** A guest with the device, emulated or real. */
class Bench {
  readonly test: MonitoredCpus = monitoredCpus();
  readonly echo = new Echo();
  readonly engine = new ReferenceEngine();
  /** The last access was emulated. */
  isDone = true;
  /** Aborts lose ISV. */
  hidesSyndrome = false;

  constructor(readonly emulated: boolean) {
    const { cpu, stage2 } = this.test, bus = new VirtualBus();
    if (emulated) bus.add(DEVICE, 0x1000, this.echo);
    else {
      cpu.surroundings.memory.addDevice(physicalAddress(DEVICE), 0x1000, this.echo);
      stage2.map(cpu, DEVICE, DEVICE, 0x1000, DEVICE_RW);
    }
    stage2.map(cpu, 0x4000_0000, RAM, POOL - RAM, MEMORY_RWX);
    setRegisters(cpu, { CPACR_EL1: 3n << 20n });
    cpu.monitors[2] = { handle: () => this.#handle(cpu, bus) };
  }

  #handle(cpu: Cpu, bus: VirtualBus): void {
    const { system } = cpu.registers;
    if (this.hidesSyndrome) system[INDEX.ESR_EL2] = system[INDEX.ESR_EL2]! & ~(1n << 24n);
    const access = decodeMmio(cpu);
    this.isDone = access !== undefined && performMmio(cpu, bus, access);
    system[INDEX.ELR_EL2] = system[INDEX.ELR_EL2]! + 4n;
    cpu.registers.pc = returnFromException(cpu);
  }

  /** Runs an instruction at a level; the registers after it and what the device was asked. */
  run(word: number, level: 0 | 1, hidesSyndrome = false): string[] {
    const { test, echo, engine } = this, { cpu } = test, { memory } = cpu.surroundings;
    memory.writeBytes(physicalAddress(RAM), new Uint8Array(Uint32Array.of(word).buffer));
    this.hidesSyndrome = hidesSyndrome;
    test.events.length = echo.transfers.length = 0;
    start(cpu, level);
    engine.step(cpu);
    assertEquals([cpu.el, test.events.some(({ kind }) => kind === "exceptionTaken")], [level, this.emulated]);
    const { slots, sp } = cpu.registers;
    const registers = [...slots.slice(0, 31), sp, cpu.pc].map((x) => x.toString(16));
    const told = [...eventsOf(test, "deviceRead"), ...eventsOf(test, "deviceWritten")].map(
      ({ address, size, value }) => `${address.toString(16)} ${size} ${value}`,
    );
    return [String(this.isDone), registers.join(), ...echo.transfers, ...told];
  }
}

function start(cpu: Cpu, level: 0 | 1): void {
  selectStackPointer(cpu, level, level);
  const { registers } = cpu;
  for (let n = 0; n < 31; n++) registers.setX(n, 0xfedc_ba98_7654_3200n + BigInt(n));
  registers.setX(2, BigInt(DEVICE + 0x100));
  registers.setX(3, 32n);
  registers.sp = BigInt(DEVICE + 0x200);
  registers.pc = BigInt(RAM);
}

Deno.test("performMmio does what a load or store of a real device does, by syndrome and by instruction", () => {
  const device = new Bench(false), emulated = new Bench(true);
  for (const text of INSTRUCTIONS) {
    const word = assembleLine(text, { address: BigInt(RAM) });
    for (const level of [0, 1] as const) {
      const real = device.run(word, level);
      assertEquals(emulated.run(word, level), real, `${text} at EL${level}`);
      assertEquals(emulated.run(word, level, true), real, `${text} at EL${level}, ISV = 0`);
    }
  }
});

Deno.test("decodeLoadStore knows all single transfers of general registers, and nothing else", () => {
  const known = ROWS.filter(({ name, pattern }) => {
    const word = pattern.encode(
      Object.fromEntries(
        pattern.fields.map((
          field,
        ) => [field.name, name.includes("_register") && field.name === "option" ? 3 : 1]),
      ),
    );
    return decodeLoadStore(word) !== undefined;
  }).map(({ name }) => name);
  const expected = ROWS.map(({ name }) => name).filter((name) =>
    /^(LD|ST)(|U|T|AP|L|A|APU|LU)R(S?[BH](_[WX])?|SW|_[WX])?(_(imm|unscaled|post|pre|register|literal))?$/
      .test(name)
  );
  assertEquals(known.sort(), expected.sort());
  for (
    const text of [
      "ldp x0, x1, [x2]",
      "ldr q0, [x2]",
      "ldxr x0, [x2]",
      "stxr w0, x1, [x2]",
      "ldadd x0, x1, [x2]",
      "prfm pldl1keep, [x2]",
      "add x0, x0, x1",
    ]
  ) {
    assertEquals(decodeLoadStore(assembleLine(text, { address: 0n })), undefined, text);
  }
});

Deno.test("decodeMmio leaves what it cannot decode to the caller, and what nothing answers", () => {
  const emulated = new Bench(true);
  for (const text of ["ldp x0, x1, [x2]", "ldr q0, [x2]", "ldxr x0, [x2]"]) {
    const word = assembleLine(text, { address: 0n });
    assertEquals(emulated.run(word, 1)[0], "false", text);
  }
  const { test } = emulated;
  const access = { size: 4, write: false, signed: false, wide: false, Rt: 1, address: DEVICE } as const;
  test.cpu.registers.setX(1, 5n);
  assertEquals(performMmio(test.cpu, new VirtualBus(), access), false);
  assertEquals(performMmio(test.cpu, new VirtualBus(), { ...access, write: true }), false);
  assertEquals(test.cpu.registers.x(1), 5n);
});

Deno.test("decodeMmio takes an external abort at EL3 apart by its instruction, with the base register written back", () => {
  const test = testCpus({ el3: true }), { cpu } = test, { memory } = cpu.surroundings;
  const echo = new Echo(), bus = new VirtualBus();
  bus.add(DEVICE, 0x1000, echo);
  // NS, RES1, EA: external aborts of lower levels come to EL3.
  setRegisters(cpu, { SCR_EL3: 1n | 3n << 4n | 1n << 3n | 1n << 10n });
  const seen: boolean[] = [];
  cpu.monitors[3] = {
    handle: () => {
      const access = decodeMmio(cpu, 3), { system } = cpu.registers;
      seen.push(access !== undefined && performMmio(cpu, bus, access, 3));
      system[INDEX.ELR_EL3] = system[INDEX.ELR_EL3]! + 4n;
      cpu.registers.pc = returnFromException(cpu);
    },
  };
  const words = ["ldrsh x1, [x2], #4", "str w3, [x2, #4]", "ldp w4, w5, [x2]"].map((text) =>
    assembleLine(text, { address: 0n })
  );
  memory.writeBytes(physicalAddress(RAM), new Uint8Array(Uint32Array.from(words).buffer));
  start(cpu, 1);
  const engine = new ReferenceEngine();
  for (let step = 0; step < words.length; step++) engine.step(cpu);
  assertEquals(seen, [true, true, false]);
  assertEquals(echo.transfers, ["read 256 2", "write 264 4 20"]);
  assertEquals(cpu.registers.x(1), 0xffff_ffff_ffff_9180n);
  assertEquals(cpu.registers.x(2), BigInt(DEVICE + 0x104));
});
