/** time-scale (US20230195484A1, US12248799): a guest's time at a scale of its own. */
import type { SystemScenario } from "./scenario.ts";
import { changesOfScale, freezes, migrations, ramps, skews } from "./time_scale/changes.ts";
import { differences, refusals } from "./time_scale/differences.ts";
import { clocksOfLinux } from "./time_scale/linux.ts";
import { sleepAt } from "./time_scale/u_boot.ts";

const EXPLAIN = `The monitor at EL2 gives its guest a counter that runs at a scale of the machine's:

    g(t) = base + ((t − t0) · mult >> 48)        mult = scale · 2^48, products of up to 128 bits, exactly

CNTHCTL_EL2.EL1PCTEN = 0 traps CNTPCT_EL0, EL1PCEN = 0 traps CNTP_CTL, CVAL and TVAL_EL0 (exception class 0x18).
With FEAT_ECV (-cpu max) EL1TVCT = 1 and EL1TVT = 1 trap CNTVCT_EL0, CNTVCTSS_EL0 and CNTV_*_EL0, so that both
counters are scaled: Linux takes its time from the virtual counter whatever timer its device tree names. Without
FEAT_ECV only software that keeps to the physical counter, such as U-Boot, sees one time.

Compare values stay in guest time. For the nearer of the two EL1 timers CNTHP_CVAL_EL2 gets the first count t with
g(t) >= CVAL, so no timer is early; its interrupt (INTID 26) makes INTID 30 or 27 pending at the virtual controller.
ISTATUS and TVAL (32 bits, signed) are computed when they are read. CNTFRQ_EL0 stays 62.5 MHz. A change of scale takes
g(t) as its new base: time never steps back, and a timer that the new time has passed is pending at once. A change is
an input of the journal (timeScaleChanged, monitorCommanded); every read follows from it and the step's position.
Event streams (CNTKCTL_EL1.EVNTEN) are made by hardware from the unscaled counter.

Use it on a guest of yours:

    hindsight record --monitor el2:time-scale,scale=1/4 -cpu max -kernel Image … -o slow.hindsight
    options: scale=N/D, epoch=COUNTS, skew=C0:C1:… (counts each CPU is ahead)
    in a script: scale 4 · monitor el2 time-scale freeze | thaw | ramp N/D MICROSECONDS | skew CPU COUNTS | migrate HZ

Look at it:

    hindsight events slow.hindsight --kind registerEmulated       every read, with the value the guest got
    hindsight diff scale-1.hindsight scale-4.hindsight            the first trap that another time moved
    hindsight why …                                               leads to the read a value came from
    hindsight bisect A B                                          between two scales: the first state that differs

guest-time.svg, beside the journals, has guest time against virtual time across changes of scale.
`;

const SCALES = [[1, 4], [1, 1], [4, 1], [1000, 1001]] as const;
const textOf = ([numerator, denominator]: readonly [number, number]): string =>
  denominator === 1 ? `${numerator}` : `${numerator}/${denominator}`;

/** The system for `hindsight system`. */
export const scenario: SystemScenario = {
  slug: "time-scale",
  explain: EXPLAIN,
  checks: [
    {
      name: "scales change, stop and ramp without a step back or an early timer; all engines agree; the plot",
      run: changesOfScale,
    },
    { name: "time that stands still is missing exactly afterwards", run: freezes },
    { name: "a ramp gives the integral of its rate", run: ramps },
    { name: "a skew shows on its CPU, at every read, to the count", run: skews },
    { name: "a migration between hosts of different CNTFRQ keeps count and rate", run: migrations },
    { name: "two scales: the first difference is a counter's value", run: differences },
    { name: "impossible scales and commands are refused with the reason", run: refusals },
    ...SCALES.map((scale) => ({
      name: `U-Boot at scale ${textOf(scale)}: sleep 10 is 10·f/scale machine counts`,
      needs: ["u-boot"],
      run: (context: Parameters<typeof sleepAt>[0]) => sleepAt(context, scale),
    })),
    ...([[1000, 1001], [1, 4], [4, 1]] as const).map((scale, index) => ({
      name:
        `Debian with FEAT_ECV on 4 CPUs at ${
          textOf(scale)
        }: clocks never go backwards, sleeps are never early, ` +
        `at most 1 µs of drift in a guest hour${
          index === 1 ? "; without the virtual timer in its device tree" : ""
        }`,
      needs: ["linux-cloud"],
      isLong: index > 0,
      run: (context: Parameters<typeof sleepAt>[0]) => clocksOfLinux(context, scale, index === 1),
    })),
  ],
};
