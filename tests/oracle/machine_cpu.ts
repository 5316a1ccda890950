/** Runs cases on the whole machine at EL0 behind translation tables, as Linux would. */
import type { CpuModel } from "../../machine/a64/feature.ts";
import { physicalAddress } from "../../machine/address.ts";
import { type MachineConfiguration, parseConfiguration } from "../../machine/configuration.ts";
import type { Cpu } from "../../machine/cpu/cpu.ts";
import { SLOT_NZCV, SLOT_SP } from "../../machine/cpu/registers.ts";
import {
  patchSystemRegister as patch,
  peekSystemRegister as peek,
} from "../../machine/cpu/system_registers.ts";
import { untagPc } from "../../machine/cpu/slow_access.ts";
import type { Engine } from "../../machine/engine/engine.ts";
import { Machine } from "../../machine/machine.ts";
import type { PhysicalMemory } from "../../machine/memory/physical.ts";
import {
  AT_FAULT,
  AT_FPSR,
  AT_NZCV,
  AT_SIGNAL,
  AT_V,
  AT_WINDOW,
  AT_WORDS,
  AT_X,
  Records,
  SIGNALS,
  SLOT,
  WINDOW,
  WINDOW_SIZE,
} from "./record.ts";

const TABLES = 0x4010_0000, SLOT_PAGE = 0x4011_0000, WINDOW_PAGE = 0x4011_1000, START_PAGE = 0x4011_2000;
/** Where cases that are run often begin. */
const START = SLOT - 0x1000n;
/** EL0 may read, write and execute: a page of Normal memory that was accessed. */
const PAGE_ATTRIBUTES = 0x443n;
const OFFSET_IN_PAGE = 0x800;

// deno-fmt-ignore
const REGISTERS: Readonly<Record<string, bigint>> = {
  MAIR_EL1:  0xffn,
  TTBR0_EL1: BigInt(TABLES),
  TCR_EL1:   16n | 1n << 23n | 2n << 32n | 1n << 37n, // 48 bits, EPD1, 40-bit addresses, TBI0
  CPACR_EL1: 3n << 20n,
  SCTLR_EL1: 0x30d0_0801n | 1n << 14n | 1n << 15n | 1n << 16n | 1n << 18n | 1n << 26n, // M, DZE, UCT, nTWI, nTWE, UCI
};

/** Signals by exception class; aborts of data are told apart by their status. */
const SIGNAL_OF_CLASS: Readonly<Record<number, number>> = {
  0x00: SIGNALS.undefined,
  0x18: SIGNALS.undefined,
  0x3c: SIGNALS.breakpoint,
};

const NOP = 0xd503201f;
/** Z, a bit of NZCV; where it is clear these two make NZCV their immediate: CCMP XZR, XZR, #0, EQ; FCCMP D0, D0, #0, EQ. */
const Z = 4, CCMP = 0xfa5f03e0, FCCMP = 0x1e600400;
/** B, four bytes less than a page ahead. */
const BRANCH = 0x140003ff;

function wordsOf(record: BigUint64Array): [prelude: number, word: number] {
  const words = record[AT_WORDS] as bigint;
  return [Number(words >> 32n), Number(words & 0xffff_ffffn)];
}

function signalOf(syndrome: number): number {
  const exceptionClass = syndrome >>> 26;
  if (exceptionClass === 0x24) return (syndrome & 63) === 0x21 ? SIGNALS.alignment : SIGNALS.memory;
  const signal = SIGNAL_OF_CLASS[exceptionClass];
  if (signal === undefined) {
    throw new Error(`A case ended in an exception of class 0x${exceptionClass.toString(16)}`);
  }
  return signal;
}

/** A machine prepared for cases. */
export class MachineCpu {
  readonly #machine: Machine;
  readonly #cpu: Cpu;
  readonly #memory: PhysicalMemory;

  /** A machine with CPUs of a model, on an engine, by name if it is the machine's own; lays out the tables. */
  constructor(model: CpuModel, engine?: string | Engine) {
    const configuration = { ...parseConfiguration({}), cpuModel: model } as MachineConfiguration;
    this.#machine = typeof engine === "object"
      ? Object.assign(new Machine(configuration, new Map()), { engine })
      : new Machine(configuration, new Map(), engine === undefined ? {} : { engine });
    this.#cpu = this.#machine.currentCpu;
    this.#memory = this.#machine.board.memory;
    for (const level of [0, 1, 2]) this.#map(level, BigInt(TABLES + 0x1000 * (level + 1)) | 3n, SLOT);
    this.#map(3, BigInt(SLOT_PAGE) | PAGE_ATTRIBUTES, SLOT);
    this.#map(3, BigInt(START_PAGE) | PAGE_ATTRIBUTES, START);
    this.#map(3, BigInt(WINDOW_PAGE) | PAGE_ATTRIBUTES, WINDOW);
    for (const [name, value] of Object.entries(REGISTERS)) patch(this.#cpu, name, value);
  }

  #map(level: number, descriptor: bigint, address: bigint): void {
    const index = Number(address >> BigInt(39 - 9 * level) & 511n);
    this.#write(TABLES + 0x1000 * level + index * 8, new BigUint64Array([descriptor]));
  }

  #write(address: number, words: BigUint64Array<ArrayBuffer> | Uint32Array<ArrayBuffer>): void {
    this.#memory.writeBytes(
      physicalAddress(address),
      new Uint8Array(words.buffer, words.byteOffset, words.byteLength),
    );
  }

  /** The outcomes of cases. */
  run(cases: Records): Records {
    const outcomes = new Records(cases.count);
    for (let index = 0; index < cases.count; index++) {
      const record = cases.record(index), [prelude, word] = wordsOf(record);
      this.#writeCode(prelude, word);
      this.#begin(record);
      this.#machine.engine.run(this.#cpu, 1);
      if (this.#cpu.el === 0) this.#machine.engine.run(this.#cpu, 1);
      this.#finish(outcomes.record(index));
    }
    return outcomes;
  }

  /**
   * The outcomes of cases that begin again so often that an engine in a hurry compiles them, each forgotten before the
   * next. In another page two steps go before: an instruction that may trap, so that code finds that it does not, and
   * a branch. A case without a prelude has one that makes its flags, so that the instruction finds them as they were made.
   */
  runOften(cases: Records, rounds: number): Records {
    const outcomes = new Records(cases.count);
    for (let index = 0; index < cases.count; index++) {
      const record = cases.record(index), [prelude, word] = wordsOf(record);
      const nzcv = Number(record[AT_NZCV] as bigint >> 28n),
        others = ~nzcv & ~Z & 15,
        isMade = prelude === NOP;
      this.#memory.codeObserver?.dropped();
      this.#write(
        START_PAGE + OFFSET_IN_PAGE - 4,
        new Uint32Array([FCCMP | (isMade ? others : nzcv), BRANCH]),
      );
      this.#writeCode(isMade ? CCMP | nzcv : prelude, word);
      for (let round = 0; round < rounds; round++) {
        this.#begin(record);
        this.#cpu.slots[SLOT_NZCV] = BigInt(others);
        this.#cpu.registers.pc = START - 4n;
        this.#run(4);
      }
      this.#finish(outcomes.record(index));
    }
    return outcomes;
  }

  /** So many steps, or fewer of which the last faults, in as few bursts as it takes. */
  #run(steps: number): void {
    const cpu = this.#cpu, { clock } = cpu.surroundings, end = clock.instant + steps;
    while (clock.instant < end && cpu.el === 0) this.#machine.engine.run(cpu, end - clock.instant);
  }

  #writeCode(...words: readonly [prelude: number, word: number]): void {
    this.#write(SLOT_PAGE + OFFSET_IN_PAGE - 4, new Uint32Array(words));
  }

  #begin(record: BigUint64Array<ArrayBuffer>): void {
    const cpu = this.#cpu;
    this.#write(WINDOW_PAGE + OFFSET_IN_PAGE, record.subarray(AT_WINDOW));
    Object.assign(cpu, { el: 0, spSel: 0, daif: 0, waiting: "none", eventRegister: false });
    cpu.monitor.restore(false, 0, 0);
    cpu.slots.set(record.subarray(AT_X, AT_X + 31));
    cpu.slots[SLOT_SP] = record[AT_X + 31] as bigint;
    cpu.slots[SLOT_NZCV] = (record[AT_NZCV] as bigint) >> 28n;
    cpu.v.set(record.subarray(AT_V, AT_V + 64));
    patch(cpu, "FPSR", (record[AT_FPSR] as bigint) & 0xffff_ffffn);
    patch(cpu, "FPCR", (record[AT_FPSR] as bigint) >> 32n);
    cpu.registers.pc = SLOT - 4n;
    cpu.attention = false; // or the reference engine is asked, and bursts end early
    cpu.surroundings.clock.changed = false;
  }

  #finish(record: BigUint64Array<ArrayBuffer>): void {
    const cpu = this.#cpu, isFault = cpu.el !== 0;
    if (!isFault) untagPc(cpu);
    const signal = isFault ? signalOf(Number(peek(cpu, "ESR_EL1"))) : 0;
    const isMemory = signal === SIGNALS.memory || signal === SIGNALS.alignment;
    record[AT_WORDS] = isFault ? peek(cpu, "ELR_EL1") : cpu.registers.pc;
    record.set(cpu.slots.subarray(0, 31), AT_X);
    record[AT_X + 31] = isFault ? peek(cpu, "SP_EL0") : cpu.slots[SLOT_SP] as bigint;
    record[AT_NZCV] = (cpu.slots[SLOT_NZCV] as bigint) << 28n;
    record[AT_FPSR] = peek(cpu, "FPCR") << 32n | peek(cpu, "FPSR");
    record[AT_SIGNAL] = BigInt(signal);
    record[AT_FAULT] = isMemory ? BigInt.asUintN(56, peek(cpu, "FAR_EL1")) : 0n;
    record.set(cpu.v, AT_V);
    const window = this.#memory.readBytes(physicalAddress(WINDOW_PAGE + OFFSET_IN_PAGE), WINDOW_SIZE);
    record.set(new BigUint64Array(window.buffer), AT_WINDOW);
  }
}
