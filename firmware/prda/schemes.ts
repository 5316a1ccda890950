/** What the threads of the PRDA kernel execute: increments of "my" counter, by scheme. */

/** A way to increment the counter of the PE's own data area. */
export interface Scheme {
  /** How it keeps increments right, or why it does not. */
  readonly summary: string;
  /** One round of a thread, between the labels `section_begin` and `section_end`; x28 is the thread's block. */
  readonly round: string;
  /** Increments of one round. */
  readonly increments: number;
  /** The handler defers preemption while ELR_ELx is from `section_begin` to before `section_end`. */
  readonly hasRange: boolean;
}

/** Yields if the handler put a preemption off until here. */
const TEST_PENDING = `
        ldr     x3, [x28, #PENDING]
        cbz     x3, 9f
        svc     #SVC_DEFERRED
9:`;

/** A section in which a preemption is put off by the thread's depth, around `body`. */
const guarded = (body: string): string => `
        bl      enter_section
${body}
        bl      leave_section`;

/** The increment through an address of the PE that it was read on. */
const BY_TPIDR = `
section_begin:
        mrs     x0, TPIDR               // get address
section_load:
        ldr     x1, [x0]
        add     x1, x1, #1
section_store:
        str     x1, [x0]
section_end:`;

/** The schemes by name. */
export const SCHEMES = {
  alias: {
    summary: "the alias, and exclusives that an exception return in between makes fail",
    increments: 1,
    hasRange: false,
    round: `
section_begin:
        mov     x0, #PRDA               // get address: the same on every PE
section_load:
        ldxr    x1, [x0]
        add     x1, x1, #1
section_store:
        stxr    w2, x1, [x0]
        cbnz    w2, section_load
section_end:`,
  },
  aliasAtomic: {
    summary: "the alias, and one atomic instruction (FEAT_LSE)",
    increments: 1,
    hasRange: false,
    round: `
section_begin:
        mov     x0, #PRDA
        mov     x1, #1
section_load:
section_store:
        ldadd   x1, x2, [x0]
section_end:`,
  },
  aliasPlain: {
    summary:
      "the alias with a plain load and store: always the own area, but a value is carried to another one",
    increments: 1,
    hasRange: false,
    round: `
section_begin:
        mov     x0, #PRDA
section_load:
        ldr     x1, [x0]
        add     x1, x1, #1
section_store:
        str     x1, [x0]
section_end:`,
  },
  deferralTable: {
    summary: "preemption put off while ELR_ELx is in a table of ranges",
    increments: 1,
    hasRange: true,
    round: BY_TPIDR + TEST_PENDING,
  },
  deferralFlag: {
    summary: "preemption put off while the thread's depth is not 0",
    increments: 1,
    hasRange: false,
    round: guarded(BY_TPIDR),
  },
  deferralNested: {
    summary: "a section within a section: put off to the end of the outer one",
    increments: 2,
    hasRange: false,
    round: guarded(`${BY_TPIDR}
        bl      enter_section
        mrs     x0, TPIDR
        ldr     x1, [x0]
        add     x1, x1, #1
        str     x1, [x0]
        bl      leave_section
        ldr     x1, [x0]                // the address is still this PE's`),
  },
  naive: {
    summary: "TPIDR_ELx, with nothing that keeps the thread on its PE",
    increments: 1,
    hasRange: false,
    round: BY_TPIDR,
  },
  overlong: {
    summary: "a section of so many steps that the watchdog reports it",
    increments: 1,
    hasRange: false,
    round: guarded(`
        mov     x4, #OVERLONG
8:      subs    x4, x4, #1
        b.ne    8b
${BY_TPIDR}`),
  },
} as const satisfies Readonly<Record<string, Scheme>>;

/** The name of a scheme. */
export type SchemeName = keyof typeof SCHEMES;

/** A thread: rounds of the scheme's, and a place to give the PE away between them. */
export const threadText = ({ round }: Scheme): string => `
threads_begin:
thread: ldr     x27, =ROUNDS
1:
${round}
        yield                           // another PE's turn
        svc     #SVC_YIELD
        subs    x27, x27, #1
        b.ne    1b
        svc     #SVC_EXIT
        b       .

// Sections count: only the end of the outermost one yields. x30 is the only register that a thread keeps for it.
enter_section:
        ldr     x3, [x28, #DEPTH]
        cbz     x3, 1f
        ldr     x5, [x28, #NESTED]
        add     x5, x5, #1
        str     x5, [x28, #NESTED]
1:      add     x3, x3, #1
        str     x3, [x28, #DEPTH]
        ret
leave_section:
        ldr     x3, [x28, #DEPTH]
        sub     x3, x3, #1
        str     x3, [x28, #DEPTH]
        cbnz    x3, 1f
        ldr     x3, [x28, #PENDING]
        cbz     x3, 1f
        svc     #SVC_DEFERRED
1:      ret
threads_end:
`;
