/** The registers of EL1 and EL0 that belong to a world: what the trampoline saves and loads, and what is planted in them. */

/** One register of a world. */
export interface WorldRegister {
  /** Name in the Arm ARM; X, V, SP and PSTATE are no rows. */
  readonly name: string;
  /** Its name at EL2 while HCR_EL2.E2H is 1, where that is another. */
  readonly host?: string;
  /** Bits in which a random value does not keep a world from running. */
  readonly random: bigint;
  /** It exists with FEAT_PAuth only. */
  readonly pauth?: boolean;
  /** It is the vmkernel's alone: a guest's access traps to the VMM, and it keeps its value in the guest's world. */
  readonly trapped?: boolean;
}

const ALL = (1n << 64n) - 1n, WORD = 0xffff_ffffn;

function paired(prefix: string): WorldRegister[] {
  return ["Lo", "Hi"].map((half) => ({ name: `${prefix}Key${half}_EL1`, random: ALL, pauth: true }));
}

/** The rows, in the order of the save area. Controls of timers come behind their comparators. */
// deno-fmt-ignore
export const WORLD_REGISTERS: readonly WorldRegister[] = [
  { name: "SCTLR_EL1",      host: "SCTLR_EL12",      random: 0x0505_c200n },            // UCI, E0E, nTWE, nTWI, UCT, DZE, UMA
  { name: "ACTLR_EL1",                               random: ALL },
  { name: "CPACR_EL1",      host: "CPACR_EL12",      random: 0x3_0000n },               // ZEN
  { name: "TTBR0_EL1",      host: "TTBR0_EL12",      random: 0xffffn << 48n },          // ASID
  { name: "TTBR1_EL1",      host: "TTBR1_EL12",      random: ALL },                     // TCR_EL1.EPD1 is 1
  { name: "TCR_EL1",        host: "TCR_EL12",        random: 0x0f7f_0000n },            // T1SZ, A1, IRGN1, ORGN1
  { name: "MAIR_EL1",       host: "MAIR_EL12",       random: ALL << 16n & ALL },
  { name: "AMAIR_EL1",      host: "AMAIR_EL12",      random: ALL },
  { name: "CONTEXTIDR_EL1", host: "CONTEXTIDR_EL12", random: WORD },
  { name: "PAR_EL1",                                 random: ALL },
  { name: "SPSR_EL1",       host: "SPSR_EL12",       random: 0xf000_03c0n },
  { name: "ELR_EL1",        host: "ELR_EL12",        random: ALL },
  { name: "AFSR0_EL1",      host: "AFSR0_EL12",      random: WORD },
  { name: "AFSR1_EL1",      host: "AFSR1_EL12",      random: WORD },
  { name: "ESR_EL1",        host: "ESR_EL12",        random: WORD },
  { name: "FAR_EL1",        host: "FAR_EL12",        random: ALL },
  { name: "VBAR_EL1",       host: "VBAR_EL12",       random: 0n },
  { name: "TPIDR_EL1",                               random: ALL },
  { name: "TPIDR_EL0",                               random: ALL },
  { name: "TPIDRRO_EL0",                             random: ALL },
  { name: "SP_EL0",                                  random: ALL },
  { name: "SP_EL1",                                  random: ALL },
  { name: "CSSELR_EL1",                              random: 3n },
  { name: "CNTKCTL_EL1",    host: "CNTKCTL_EL12",    random: 0x3fbn },                  // all but EVNTEN
  { name: "CNTV_CVAL_EL0",  host: "CNTV_CVAL_EL02",  random: ALL },
  { name: "CNTV_CTL_EL0",   host: "CNTV_CTL_EL02",   random: 1n },                      // ENABLE; IMASK is 1
  { name: "MDSCR_EL1",                               random: 0x1000n, trapped: true },  // TDCC
  { name: "FPSR",                                    random: 0x0800_009fn },
  { name: "FPCR",                                    random: 0x07c0_0000n },
  ...["APIA", "APIB", "APDA", "APDB", "APGA"].flatMap(paired),
];

/** Registers of EL1 and EL0 that are not switched: the vmkernel's, by traps of the VMM (MDCR_EL2, CNTHCTL_EL2). */
// deno-fmt-ignore
export const KEPT_REGISTERS: readonly WorldRegister[] = [
  { name: "DBGBVR0_EL1",      random: 0x0000_ffff_ffff_fffcn, trapped: true },
  { name: "DBGBCR0_EL1",      random: 0x00f0_2000n,           trapped: true },          // BT, HMC; not E
  { name: "DBGWVR3_EL1",      random: 0x0000_ffff_ffff_fffcn, trapped: true },
  { name: "PMCCNTR_EL0",      random: WORD,                   trapped: true },          // PMCR_EL0.E is 0
  { name: "PMEVCNTR5_EL0",    random: WORD,                   trapped: true },
  { name: "PMSELR_EL0",       random: 0x3n,                   trapped: true },
  { name: "PMUSERENR_EL0",    random: 15n,                    trapped: true },
  { name: "CNTP_CVAL_EL0",    random: ALL,                    trapped: true },          // CNTP_CTL_EL0.IMASK is 1
];

/** The rows that a build knows. */
export function worldRegisters(pauth: boolean): readonly WorldRegister[] {
  return WORLD_REGISTERS.filter((row) => pauth || row.pauth !== true);
}

/** Rows in pairs, as STP and LDP take them. */
function pairs(rows: readonly WorldRegister[]): (readonly [WorldRegister, WorldRegister | undefined])[] {
  return rows.flatMap((row, index) => index % 2 === 0 ? [[row, rows[index + 1]] as const] : []);
}

/** Names at EL2, with E2H or without. */
function nameAt(row: WorldRegister, isHost: boolean): string {
  return (isHost ? row.host ?? row.name : row.name).toLowerCase();
}

/** The name of EL1's register as code at EL2 writes it; RangeError for one that is not switched. */
export function nameAtEl2(name: string, isHost: boolean): string {
  const row = WORLD_REGISTERS.find((known) => known.name === name);
  if (row === undefined) throw new RangeError(`Cannot name ${name}: it is no register of a world`);
  return nameAt(row, isHost);
}

/** Text that stores the rows at the address in x0; changes x1 and x2. */
export function saveText(rows: readonly WorldRegister[], isHost: boolean): string {
  return pairs(rows).map(([first, second], index) => {
    const read = (row: WorldRegister, x: number) => `        mrs     x${x}, ${nameAt(row, isHost)}\n`;
    if (second === undefined) return `${read(first, 1)}        str     x1, [x0, #${16 * index}]\n`;
    return `${read(first, 1)}${read(second, 2)}        stp     x1, x2, [x0, #${16 * index}]\n`;
  }).join("");
}

/** Text that loads the rows from the address in x0; changes x1 and x2. */
export function loadText(rows: readonly WorldRegister[], isHost: boolean): string {
  return pairs(rows).map(([first, second], index) => {
    const write = (row: WorldRegister, x: number) => `        msr     ${nameAt(row, isHost)}, x${x}\n`;
    if (second === undefined) return `        ldr     x1, [x0, #${16 * index}]\n${write(first, 1)}`;
    return `        ldp     x1, x2, [x0, #${16 * index}]\n${write(first, 1)}${write(second, 2)}`;
  }).join("");
}
