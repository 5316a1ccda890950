/** The table of helpers: what is too odd for IR operations, implemented once and called by every engine. */

/** What engines and passes must know of a helper. */
export interface HelperRow {
  /** Width of the result in bits; 0 when there is none. */
  readonly width: 0 | 1 | 32 | 64;
  /** It can raise an exception, so no register write may come before it. */
  readonly faults: boolean;
  /** It may change the PC, the exception level, translation or interrupt masks: a compiled region ends here. */
  readonly endsBlock: boolean;
}

function row(width: HelperRow["width"], faults: boolean, endsBlock: boolean): HelperRow {
  return { width, faults, endsBlock };
}

/** Every helper; immediates and arguments are listed at the implementation in machine/cpu/helpers.ts. */
// deno-fmt-ignore
export const HELPERS = {
  //                     width faults ends    immediates; arguments
  undefinedInstruction:  row(0,  true,  true),  // –
  supervisorCall:        row(0,  true,  true),  // imm16
  hypervisorCall:        row(0,  true,  true),  // imm16
  secureMonitorCall:     row(0,  true,  true),  // imm16
  breakpoint:            row(0,  true,  true),  // imm16
  halt:                  row(0,  true,  true),  // imm16
  exceptionReturn:       row(0,  true,  true),  // number of a key of pointer authentication, or none
  readSystemRegister:    row(64, true,  false), // encoding op0:op1:CRn:CRm:op2, Rt
  writeSystemRegister:   row(0,  true,  true),  // encoding, Rt; value
  writePstateField:      row(0,  true,  true),  // op1, op2, CRm
  systemInstruction:     row(0,  true,  true),  // encoding, Rt; value
  maintainCache:         row(0,  true,  false), // encoding, Rt; value
  zeroBlock:             row(0,  true,  false), // encoding, Rt; value
  systemInstructionLong: row(64, true,  true),  // encoding, Rt
  waitForInterrupt:      row(0,  true,  true),  // –
  waitForEvent:          row(0,  true,  true),  // –
  sendEvent:             row(0,  false, true),  // –
  sendEventLocal:        row(0,  false, false), // –
  yieldProcessor:        row(0,  false, true),  // –
  clearExclusive:        row(0,  false, false), // –
  dataBarrier:           row(0,  false, false), // 0 DSB, 1 DMB; CRm
  instructionBarrier:    row(0,  false, true),  // –
  checkSpAlignment:      row(0,  true,  false), // –
  checkFpEnabled:        row(0,  true,  false), // –
  readFpcr:              row(64, false, false), // –
  addPac:                row(64, true,  false), // key 0–3: IA, IB, DA, DB; pointer, modifier
  authenticate:          row(64, true,  false), // key; pointer, modifier
  stripPac:              row(64, false, false), // 1 for a pointer to data; pointer
  genericPac:            row(64, true,  false), // –; value, modifier
} as const satisfies Record<string, HelperRow>;

/** Name of a helper. */
export type HelperName = keyof typeof HELPERS;
