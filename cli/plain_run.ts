/** A run that leaves no journal: nothing is hashed or stored on the way. */
import { type Costs, spending } from "../journal/costs.ts";
import type { RunEnd } from "../journal/payloads.ts";
import type { Input } from "../machine/events.ts";
import type { Machine, Stop } from "../machine/machine.ts";
import type { Drivable, Ended } from "./host/drivable.ts";

/** A machine driven for its own sake. */
export class PlainRun implements Drivable {
  /** Drives this machine from where it stands. */
  constructor(readonly machine: Machine, private readonly costs?: Costs) {
    costs?.attach(machine);
  }

  /** As `Machine.run`. */
  run(limit: number, paced: boolean): Stop {
    return spending(this.costs, "engine", () => this.machine.run(limit, paced));
  }

  /** As `Machine.submit`. */
  submit(input: Input, virtualTime?: number): void {
    this.machine.submit(input, virtualTime);
  }

  /** There is nothing to be written. */
  flush(): void {}

  /** Says where the run has come to. */
  finish(reason: RunEnd["reason"], exitCode = 0, waiting = false): Ended {
    const { instant, virtualTime } = this.machine;
    const stateRoot = this.machine.stateRoot().root;
    return { reason, exitCode, waiting, instant, virtualTime, stateRoot, historyRoot: undefined };
  }
}
