/** A guest at EL1 under nothing but a virtual interrupt controller: for tests of that alone. */
import { VirtualGic } from "../../hypervisor/virtual_gic.ts";
import { buildBoard } from "../../machine/board.ts";
import type { Cpu } from "../../machine/cpu/cpu.ts";
import type { Exception } from "../../machine/cpu/exception.ts";
import { returnFromException } from "../../machine/cpu/exception_return.ts";
import { selectStackPointer } from "../../machine/cpu/stack_pointer.ts";
import {
  patchSystemRegister,
  peekSystemRegister,
  systemRegisterNamed,
} from "../../machine/cpu/system_registers.ts";
import type { MachineEvent } from "../../machine/events.ts";
import { Machine } from "../../machine/machine.ts";
import { flatGuest, type Guest } from "../journal/guest.ts";
import { physicalAddress } from "../../machine/address.ts";

/** Stage 2: RAM and devices one to one, but for the 2 MiB of the interrupt controller. */
const TABLES = 0x4700_0000;

function buildStage2(machine: Machine): void {
  const { memory } = machine.board;
  const put = (address: number, value: bigint) => {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, value, true);
    memory.writeBytes(physicalAddress(address), bytes);
  };
  const device = 0x4c1n, normal = 0x7fdn;
  put(TABLES, BigInt(TABLES + 0x1000) | 3n);
  put(TABLES + 8, 0x4000_0000n | normal);
  for (let block = 0; block < 512; block++) {
    if (block !== 64) put(TABLES + 0x1000 + block * 8, BigInt(block) << 21n | device);
  }
}

const encodingOf = (syndrome: number): number =>
  (syndrome >> 20 & 3) << 14 | (syndrome >> 14 & 7) << 11 | (syndrome >> 10 & 15) << 7 |
  (syndrome >> 1 & 15) << 3 | syndrome >> 17 & 7;

/** A machine with such a guest, all CPUs started at its first instruction. */
export class GuestMachine {
  /** The machine. */
  readonly machine: Machine;
  /** The controller. */
  readonly gic: VirtualGic;
  /** What the guest printed. */
  console = "";
  /** Events of the classes `trap` and `detail`. */
  readonly events: MachineEvent[] = [];
  /** Physical interrupts taken at EL2 by CPU. */
  readonly taken: (readonly [cpu: number, interrupt: number | undefined])[] = [];
  /** Called for physical interrupts that are the monitor's own. */
  claimed: (cpu: Cpu, interrupt: number) => boolean = () => false;

  /** Builds it and puts the CPUs in their start state. */
  constructor(source: string, gicVersion: 2 | 3, cpus: number, engine: string) {
    const guest: Guest = flatGuest(source);
    const configuration = guest.configuration({ gicVersion, cpus, virtualization: true, its: false });
    this.machine = new Machine(configuration, guest.images, { engine });
    const { board } = this.machine;
    board.transmitted = (byte) => (this.console += String.fromCharCode(byte));
    board.events.add({ classes: ["trap", "detail"], observe: (event) => void this.events.push(event) });
    this.gic = new VirtualGic({ board: buildBoard(configuration), events: board.events, cpus: board.cpus });
    buildStage2(this.machine);
    this.gic.reset();
    for (const cpu of board.cpus) this.#start(cpu);
  }

  #start(cpu: Cpu): void {
    cpu.on = true;
    cpu.registers.pc = 0x4008_0000n;
    cpu.monitors[2] = { handle: (cpu, exception) => this.#handle(cpu, exception) };
    selectStackPointer(cpu, 1, 1);
    patchSystemRegister(cpu, "HCR_EL2", 1n << 31n | 1n);
    patchSystemRegister(cpu, "VTCR_EL2", 0x8002_3559n);
    patchSystemRegister(cpu, "VTTBR_EL2", BigInt(TABLES));
    this.gic.started(cpu);
  }

  #handle(cpu: Cpu, { kind, syndrome }: Exception): void {
    if (kind !== "synchronous") {
      this.taken.push([cpu.index, this.gic.take(cpu, (interrupt) => this.claimed(cpu, interrupt))]);
    } else {
      if (syndrome >>> 26 === 0x24) this.#access(cpu, syndrome);
      else if (syndrome >>> 26 === 0x18) this.#register(cpu, syndrome);
      else throw new Error(`unexpected exception ${syndrome.toString(16)} at ${cpu.pc.toString(16)}`);
      patchSystemRegister(cpu, "ELR_EL2", peekSystemRegister(cpu, "ELR_EL2") + 4n);
    }
    cpu.registers.pc = returnFromException(cpu);
  }

  #access(cpu: Cpu, syndrome: number): void {
    const page = Number(peekSystemRegister(cpu, "HPFAR_EL2")) * 256;
    const address = page + Number(peekSystemRegister(cpu, "FAR_EL2") & 0xfffn);
    const frame = this.gic.frames.find(({ base, size }) => address >= base && address < base + size);
    if (frame === undefined || !(syndrome & 1 << 24)) throw new Error(`no frame at ${address.toString(16)}`);
    const size = 1 << (syndrome >> 22 & 3), Rt = syndrome >> 16 & 31;
    const context = { cpu: cpu.index, secure: false };
    const offset = address - frame.base;
    if (syndrome & 1 << 6) {
      frame.device.write(
        offset,
        size,
        Rt === 31 ? 0 : Number(BigInt.asUintN(32, cpu.registers.x(Rt))),
        context,
      );
    } else cpu.registers.setX(Rt, BigInt(frame.device.read(offset, size, context) >>> 0));
  }

  #register(cpu: Cpu, syndrome: number): void {
    const encoding = encodingOf(syndrome), Rt = syndrome >> 5 & 31;
    const row = this.gic.registers.find(({ name }) => systemRegisterNamed(name).encoding === encoding);
    if (row === undefined) throw new Error(`no register ${encoding.toString(16)}`);
    if (syndrome & 1) cpu.registers.setX(Rt, row.read(cpu));
    else row.write(cpu, Rt === 31 ? 0n : cpu.registers.x(Rt));
  }

  /** Runs until the guest has stopped everywhere (every CPU in WFI with nothing due), or so many steps. */
  run(limit: number): string {
    return this.machine.run(limit).reason;
  }
}
