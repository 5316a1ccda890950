/** A GICv3 by random walks: distributor, redistributor, physical and virtual CPU interface, their traps and interrupts. */
import { type Group, type Level, levelsOf } from "./group.ts";
import { spsrOf, type SystemProgram, type TopLevel } from "./program.ts";
import { Choices } from "./random.ts";

const GICD = 0x800_0000n, GICR = 0x80a_0000n, SGI_FRAME = GICR + 0x1_0000n;

/** Interrupts that take part: SGIs, PPIs that nothing drives, SPIs; the words of GICD that have them. */
const INTERRUPTS = [0, 1, 7, 8, 15, 20, 22, 40, 41, 63, 64, 200];
const WORDS = [0, 1, 2, 6];

/** Registers of each level, by what is done to them; what is read may change state. */
// deno-fmt-ignore
const REGISTERS: Readonly<Record<1 | 2 | 3, { readonly read: readonly string[]; readonly write: readonly string[] }>> = {
  1: {
    read: ["ICC_IAR0_EL1", "ICC_IAR1_EL1", "ICC_IAR0_EL1", "ICC_IAR1_EL1", "ICC_HPPIR0_EL1", "ICC_HPPIR1_EL1", "ICC_RPR_EL1",
      "ICC_PMR_EL1", "ICC_BPR0_EL1", "ICC_BPR1_EL1", "ICC_AP0R0_EL1", "ICC_AP1R0_EL1", "ICC_CTLR_EL1", "ICC_SRE_EL1",
      "ICC_IGRPEN0_EL1", "ICC_IGRPEN1_EL1", "ISR_EL1", "ISR_EL1", "ID_PFR1_EL1"],
    write: ["ICC_PMR_EL1", "ICC_PMR_EL1", "ICC_EOIR0_EL1", "ICC_EOIR1_EL1", "ICC_EOIR0_EL1", "ICC_EOIR1_EL1", "ICC_DIR_EL1",
      "ICC_BPR0_EL1", "ICC_BPR1_EL1", "ICC_CTLR_EL1", "ICC_SRE_EL1", "ICC_IGRPEN0_EL1", "ICC_IGRPEN1_EL1",
      "ICC_IGRPEN0_EL1", "ICC_IGRPEN1_EL1", "ICC_SGI0R_EL1", "ICC_SGI1R_EL1", "ICC_ASGI1R_EL1"],
  },
  2: {
    read: ["ICC_SRE_EL2", "ICH_HCR_EL2", "ICH_VTR_EL2", "ICH_MISR_EL2", "ICH_EISR_EL2", "ICH_ELRSR_EL2", "ICH_VMCR_EL2",
      "ICH_AP0R0_EL2", "ICH_AP1R0_EL2", "ICH_LR0_EL2", "ICH_LR1_EL2", "ICH_LR2_EL2", "ICH_LR3_EL2"],
    write: ["ICC_SRE_EL2", "ICH_HCR_EL2", "ICH_HCR_EL2", "ICH_VMCR_EL2", "ICH_AP0R0_EL2", "ICH_AP1R0_EL2",
      "ICH_LR0_EL2", "ICH_LR1_EL2", "ICH_LR2_EL2", "ICH_LR3_EL2", "ICH_LR0_EL2", "ICH_LR1_EL2"],
  },
  3: {
    read: ["ICC_SRE_EL3", "ICC_IGRPEN1_EL3"],
    write: ["ICC_SRE_EL3", "ICC_IGRPEN1_EL3", "ICC_CTLR_EL3"],
  },
};

/** Registers that do not exist with 5 bits of priority and 4 list registers. */
const ABSENT = [
  "ICC_AP0R1_EL1",
  "ICC_AP1R3_EL1",
  "ICH_LR4_EL2",
  "ICH_LR15_EL2",
  "ICH_AP0R1_EL2",
  "ICH_AP1R2_EL2",
];

const listRegister = (choices: Choices, index: number): bigint => {
  const interrupt = choices.once(12)
    ? 1020 + choices.below(4)
    : choices.pick([index, 27 + index, 40, 8192 + index]);
  const hardware = choices.once(3) && interrupt >= 16 && interrupt < 1020;
  const physical = hardware ? choices.pick(INTERRUPTS) : choices.below(2) << 9;
  const upper = choices.below(4) << 30 | (hardware ? 1 << 29 : 0) | choices.below(2) << 28 |
    choices.below(32) << 19 | physical;
  return BigInt(upper >>> 0) << 32n | BigInt(interrupt);
};

/** A value for a register: the bits that it has, so that most writes do something. */
function valueFor(choices: Choices, name: string): bigint {
  const interrupt = BigInt(choices.once(10) ? 1019 + choices.below(5) : choices.pick(INTERRUPTS));
  if (/EOIR|DIR/.test(name)) return interrupt;
  if (/SGI/.test(name)) {
    return BigInt(choices.below(16)) << 24n | BigInt(choices.pick([1, 1, 1, 3, 0])) |
      (choices.once(8) ? 1n << 40n : 0n) |
      (choices.once(8) ? 1n << 16n : 0n);
  }
  if (/PMR/.test(name)) return choices.pick([0xffn, 0xf0n, 0xf8n, 0x80n, 0xa0n, 0n, choices.bits(8)]);
  if (/_BPR/.test(name)) return choices.bits(3);
  if (/LR(\d)_/.test(name)) return listRegister(choices, Number(/LR(\d)/.exec(name)?.[1]));
  if (name === "ICH_VMCR_EL2") return choices.bits(32) & 0xf8fc_0210n | choices.pick([3n, 3n, 1n, 2n, 0n]);
  // Not VGrp0DIE, which goes by VENG1 in QEMU.
  if (name === "ICH_HCR_EL2") {
    return (choices.once(6) ? 0n : 1n) | choices.bits(8) & 0xden | choices.bits(5) << 27n |
      (choices.once(3) ? choices.bits(5) << 10n & 0x5c00n : 0n);
  }
  if (/AP\dR/.test(name)) return choices.once(2) ? 0n : 1n << BigInt(choices.below(32));
  if (/IGRPEN/.test(name)) return choices.once(5) ? 0n : 3n;
  return choices.bits(5);
}

/** A write to GICD or GICR as Secure software makes it. */
function configure(choices: Choices, program: SystemProgram): void {
  const word = choices.pick(WORDS), interrupt = choices.pick(INTERRUPTS);
  const base = word === 0 ? SGI_FRAME : GICD + BigInt(word * 4);
  const own = INTERRUPTS.filter((number) => number >> 5 === word);
  const mask = own.reduce((bits, number) => choices.once(2) ? bits | 1 << (number & 31) : bits, 0) >>> 0;
  const pages = interrupt < 32 ? SGI_FRAME : GICD;
  const store = (address: bigint, value: number | bigint) => program.store32(address, BigInt(value));
  switch (choices.below(12)) {
    case 0:
      return void store(base + 0x80n, mask); // IGROUPR
    case 1:
      return void store(base + 0xd00n, mask); // IGRPMODR
    case 2:
      return void store(base + 0x100n, mask);
    case 3:
      return void (choices.once(3) && store(base + 0x180n, mask));
    case 4:
      return void store(base + choices.pick([0x280n, 0x380n]), mask);
    case 5:
    case 6: {
      const priorities = choices.bits(32) & 0xf8f8_f8f8n | (choices.once(4) ? 0x0707_0707n : 0n);
      return void store(pages + 0x400n + BigInt(interrupt & ~3), priorities);
    }
    case 7:
      return void store(pages + 0xe00n + BigInt(interrupt >> 4 << 2), choices.bits(32)); // NSACR
    case 8:
      if (interrupt < 32) return;
      return void store(
        GICD + 0x6000n + BigInt(interrupt * 8),
        choices.once(8) ? choices.pick([1, 0x100]) : 0,
      );
    case 9:
      return void store(GICD, choices.once(4) ? choices.below(8) : 7);
    default:
      return void store(base + 0x200n, mask); // ISPENDR
  }
}

/** Offsets of registers to look at, in GICD and in GICR. */
// deno-fmt-ignore
const LOOKS: readonly bigint[] = [
  GICD, GICD + 8n, GICD + 0x84n, GICD + 0x104n, GICD + 0x184n, GICD + 0x204n, GICD + 0x284n, GICD + 0x304n, GICD + 0x384n,
  GICD + 0x208n, GICD + 0x428n, GICD + 0x43cn, GICD + 0xc08n, GICD + 0xd04n, GICD + 0xe08n, GICD + 0x6140n, GICD + 0x6144n,
  GICD + 0x800n, GICD + 0xf00n, GICD + 0xffe0n, GICD + 0xffe8n, GICR + 4n, GICR + 12n, GICR + 0x14n, GICR + 0xffe0n,
  SGI_FRAME + 0x80n, SGI_FRAME + 0x100n, SGI_FRAME + 0x200n, SGI_FRAME + 0x300n, SGI_FRAME + 0x400n, SGI_FRAME + 0x404n,
  SGI_FRAME + 0xc00n, SGI_FRAME + 0xc04n, SGI_FRAME + 0xd00n, SGI_FRAME + 0xe00n,
];

/** Registers that Non-secure software may try to write. */
// deno-fmt-ignore
const TOUCHES: readonly bigint[] = [
  GICD, GICD + 0x84n, GICD + 0x104n, GICD + 0x184n, GICD + 0x204n, GICD + 0x284n, GICD + 0x304n, GICD + 0x384n,
  GICD + 0x428n, GICD + 0xc08n, GICD + 0xd04n, GICD + 0xe08n, GICR + 0x14n,
  SGI_FRAME + 0x80n, SGI_FRAME + 0x100n, SGI_FRAME + 0x180n, SGI_FRAME + 0x200n, SGI_FRAME + 0x280n, SGI_FRAME + 0x400n,
  SGI_FRAME + 0xc04n, SGI_FRAME + 0xd00n, SGI_FRAME + 0xe00n,
];

/** Instructions and the values that they take in X0 to X3; what they read ends in X4 to X7. */
interface Steps {
  readonly code: string[];
  readonly x: bigint[];
}

function steps(choices: Choices, level: 1 | 2 | 3): Steps {
  const code: string[] = [], x: bigint[] = [0n, 0n, 0n, 0n];
  let written = 0, read = 4;
  while (code.length < 7 && written < 4 && read < 8) {
    const of = choices.once(2) ? level : 1 + choices.below(level) as 1 | 2 | 3;
    const { read: reads, write: writes } = REGISTERS[of];
    if (choices.once(60)) code.push(`mrs x${read++}, ${choices.pick(ABSENT)}`);
    else if (choices.once(2)) code.push(`mrs x${read++}, ${choices.pick(reads)}`);
    else {
      const name = choices.pick(writes);
      x[written] = valueFor(choices, name);
      code.push(`msr ${name}, x${written++}`);
    }
  }
  return { code, x };
}

/** Loads and stores of registers on the bus. */
function busSteps(choices: Choices): Steps {
  const x = [0, 1, 2].map(() => choices.pick(LOOKS));
  const code = ["ldr w4, [x0]", "ldr w5, [x1]", "ldr w6, [x2]"];
  if (choices.once(2)) return { code, x: [...x, 0n] };
  const touched = choices.pick(TOUCHES);
  const value = touched === GICD ? choices.bits(3) & 3n : choices.bits(32) & 0xf8f8_f8f8n;
  return {
    code: ["str w3, [x2]", "ldr w4, [x2]", ...code.slice(1, 2)],
    x: [x[0] as bigint, x[1] as bigint, touched, value],
  };
}

const MASKED = 0x3c0n, UNMASKED = [0x3c0n, 0x3c0n, 0x340n, 0x380n, 0x300n];

/** Puts the controller in order, in which interrupts get through. */
function prepare(program: SystemProgram): void {
  program.reset().store32(GICD, 7n).store32(GICR + 0x14n, 0n);
  for (const word of WORDS) {
    program.store32(word === 0 ? SGI_FRAME + 0x100n : GICD + 0x100n + BigInt(word * 4), 0xffff_ffffn);
  }
  program.set("ICC_PMR_EL1", 0xffn).set("ICC_IGRPEN0_EL1", 1n).set("ICC_IGRPEN1_EL1", 1n);
}

export /** Ends everything that is active and lets interrupts through; Non-secure active priorities QEMU does not let be written. */
function refresh(program: SystemProgram): void {
  if (program.top === 3) program.set("SCR_EL3", 0x530n);
  program.set("ICC_AP0R0_EL1", 0n).set("ICC_AP1R0_EL1", 0n).set("ICC_PMR_EL1", 0xf8n).set(
    "ICC_IGRPEN0_EL1",
    1n,
  );
  if (program.top === 3) program.set("ICC_IGRPEN1_EL3", 3n);
  else program.set("ICC_IGRPEN1_EL1", 1n);
  program.store32(GICD, 7n).store32(SGI_FRAME + 0x380n, 0xffff_ffffn);
  if (program.top >= 2) program.set("ICH_AP0R0_EL2", 0n).set("ICH_AP1R0_EL2", 0n);
}

/**
 * Random configuration, then random accesses, again and again on one machine. QEMU notices an interrupt that a read makes
 * pending only after some more instructions: the seeds of the groups are such that no run shows it.
 */
function walk(seed: number, count: number): (program: SystemProgram) => void {
  return (program) => {
    const choices = new Choices(seed), { top } = program;
    prepare(program);
    for (let index = 0; index < count; index++) {
      const level = choices.pick(levelsOf(top).filter((level): level is 1 | 2 | 3 => level > 0));
      const onBus = choices.once(4);
      program.reset();
      if (choices.once(6)) refresh(program);
      for (let n = choices.below(4); n > 0; n--) configure(choices, program);
      const routes = onBus ? 0 : choices.pick([0, 0, 2, 4, 6]);
      const scr = 0x530n | BigInt(routes) | (top === 3 && level !== 2 && choices.once(3) ? 0n : 1n);
      const hcr = 0x8000_0000n | (onBus ? 0n : choices.pick([0n, 8n, 0x10n, 0x18n, 0x18n]));
      if (top >= 2) program.set("HCR_EL2", hcr);
      if (top === 3) program.set("SCR_EL3", scr);
      const { code, x } = onBus ? busSteps(choices) : steps(choices, level);
      const masks = onBus ? MASKED : choices.pick(UNMASKED);
      const settings = `SCR_EL3 ${scr.toString(16)}, HCR_EL2 ${hcr.toString(16)}, DAIF ${masks.toString(16)}`;
      program.run({
        name: `${index}: ${code.join("; ")} at EL${level satisfies Level}, ${settings}`,
        level,
        spsr: spsrOf(level) & ~MASKED | masks,
        code,
        x,
      });
    }
  };
}

/** A walk of `count` runs; even seeds differ. */
export function walkGroup(top: TopLevel, seed: number, count: number): Group {
  return { name: `GICv3, top EL${top}`, top, gicVersion: 3, build: walk(seed, count) };
}

/** The groups. */
export const groups: readonly Group[] = [
  walkGroup(1, 2, 1000),
  walkGroup(2, 4, 2000),
  walkGroup(3, 6, 3000),
];
