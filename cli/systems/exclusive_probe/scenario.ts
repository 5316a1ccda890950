/** The explanation and the checks of exclusive-probe (US20190213095A1). */
import type { SystemScenario } from "../scenario.ts";
import { CAUSE_CHECKS } from "./causes.ts";
import { CONTROL_CHECKS } from "./controls.ts";
import { HOST_CHECKS } from "./hosts.ts";
import { LINUX_CHECKS } from "./linux.ts";
import { RACE_CHECKS } from "./race.ts";
import { STEALTH_CHECKS } from "./stealth.ts";
import { TRUTH_CHECKS } from "./truth.ts";

const EXPLAIN = `
A guest that wants to know whether a hypervisor traps its instructions needs no clock and no special instruction: it
asks its exclusive monitor.

    LDXR  W0, [X1]          opens the CPU's local monitor
    MRS   X3, CTR_EL0       or any register whose reads a hypervisor may trap
    STXR  W2, W0, [X1]      W2 = 0: nothing came in between; 1: the monitor was cleared

If the MRS traps to EL2 or EL3, whoever takes it returns by ERET, and an exception return clears the local monitor
(Arm ARM B2.9.2), so that the store fails. An interrupt does the same, so each operation is tried in a number of
rounds: what fails each time is trapped, what fails now and then was interrupted. A NOP is tried in the same way; if
more than a quarter of its rounds fail, nothing can be told (memory without exclusive monitors, a storm of interrupts).
At EL0 an ID register says nothing, because it is UNDEFINED there and the kernel reads it for programs; CTR_EL0, the
counters and MDCCSR_EL0 do.

A monitor can escape it: with stealth=on, behind a trap it looks ahead, and carries out what leads to the
store-exclusive, and that store too, before it returns; the guest gets the status that it would have had.

The monitor's side are the switches of \`--monitor el2:exclusive-probe,traps=tid3+tid2+tacr+tda+cntpct+cntvct\` and
\`el3:exclusive-probe,traps=ea+tda\`. The guest is firmware/exclusive_probe/.

To look at it, after \`deno task hindsight system run exclusive-probe\`:

    cd .systems/exclusive-probe
    hindsight replay --console mon2-tid3.hindsight
    hindsight query mon2-tid3.hindsight 'kind == "exclusiveCleared"' --count-by reason
    hindsight diff mon2-idle.hindsight mon2-tid3.hindsight       what the traps change, and what the guest says of it
    hindsight bisect naive-fuzzed.hindsight --inputs             the interrupt that makes the naive probe wrong
    hindsight query naive-wrong.hindsight 'kind == "exclusiveCleared" && reason == "exceptionReturn"'
    hindsight explore naive-wrong.hindsight --from 80 --to 400 --inject irq:33
`;

/** The scenario. */
export const exclusiveProbe: SystemScenario = {
  slug: "exclusive-probe",
  explain: EXPLAIN,
  checks: [
    ...TRUTH_CHECKS,
    ...CAUSE_CHECKS,
    ...RACE_CHECKS,
    ...CONTROL_CHECKS,
    ...STEALTH_CHECKS,
    ...HOST_CHECKS,
    ...LINUX_CHECKS,
  ],
};
