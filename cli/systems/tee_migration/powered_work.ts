/** Debian at work on hosts that lose power: what it writes then, where it runs, and who could run it in the end. */
import type { Machine } from "../../../machine/machine.ts";
import type { TimedWorldInput, WorldRoot } from "../../../world/course.ts";
import { DONE, PROMPT, typed, Work } from "./debian_work.ts";
import { EAST, powered, WEST, type Written } from "./migrations.ts";
import { wrongAfterPower } from "./verdict.ts";

/** Nanoseconds without power, in the end. */
const AWAY = 20_000_000;
/** In this time hosts with power know who has the realm, and it goes on: a copy is opened in 25 ms. */
const SETTLED = 300_000_000;
/** The work is done long before, though Debian booted again. */
const MOST = 20_000_000_000;
/** Characters of the last writing that are looked at. */
const RECENT = 40;

/** Something that an agent did. */
export interface Moment {
  /** At this host. */
  readonly node: number;
  /** It. */
  readonly step: string;
  /** The world's time, if the host never lost power. */
  readonly time: number;
}

/** What came of the work. */
export interface WorkLife {
  /** All that was wrong. */
  readonly wrong: readonly string[];
  /** Where it ended. */
  readonly end: number;
  /** The world's time then. */
  readonly time: number;
  /** Its roots up to then. */
  readonly roots: readonly WorldRoot[];
}

/** Lines but for the digest of what the kernel has to say, which tells when it was booted. */
function withoutLog(text: string): string {
  return text.split("\n").toSpliced(-2, 1).join("\n");
}

/** Debian at work, which can be lived again from where it was typed. */
export class PoweredWork extends Work {
  /** What agents did in the last life. */
  moments: Moment[] = [];
  readonly #heard = new WeakSet<Machine>();
  #writes: Written[] = [];
  #pending: Omit<Written, "time">[] = [];
  #recent = "";
  #most = 0;

  #listen(): void {
    for (const node of [EAST, WEST]) {
      const machine = this.session.machineOf(node);
      if (machine === undefined || this.#heard.has(machine)) continue;
      this.#heard.add(machine);
      machine.board.events.add({
        classes: ["trap"],
        observe: (event) => {
          if (event.kind !== "teeMigrationStepped") return;
          this.moments.push({ node, step: event.step, time: machine.virtualTime });
        },
      });
    }
  }

  /** Hosts at which the realm runs: its first CPU is the host's first. */
  get #running(): number[] {
    return [EAST, WEST].filter((node) => this.session.machineOf(node)?.board.cpus[0]?.on === true);
  }

  /** Between rounds. */
  #look(): void {
    this.#listen();
    this.#most = Math.max(this.#most, this.#running.length);
    for (const { node, text } of this.#pending.splice(0)) {
      const before = this.#recent, end = (before + text).indexOf(DONE);
      this.#recent = (before + text).slice(-RECENT);
      // What the shell writes behind it is not looked at.
      const shown = end < 0 ? text : text.slice(0, Math.max(0, end + DONE.length - before.length));
      this.#writes.push({ time: this.session.now, node, text: shown });
    }
  }

  /** Goes on until somebody writes it. */
  async #untilWritten(wanted: string): Promise<void> {
    this.#recent = "";
    await this.run(this.start + MOST, () => {
      this.#look();
      return this.#recent.includes(wanted);
    });
  }

  #begin(inputs: readonly TimedWorldInput[]): void {
    this.moments = [];
    this.#writes = [];
    this.#most = 0;
    this.returnBefore(this.start);
    this.session.observer = {
      wrote: (node, bytes) => void this.#pending.push({ node, text: new TextDecoder().decode(bytes) }),
    };
    for (const input of inputs) this.session.give(input);
  }

  /** Works again, given inputs. */
  async live(inputs: readonly TimedWorldInput[]): Promise<WorkLife> {
    this.#begin(inputs);
    await this.#untilWritten(DONE);
    const { events } = this.session, wrong = wrongAfterPower({ writes: this.#writes, events }, this.alone);
    return await this.#ended(wrong === undefined ? [] : [wrong]);
  }

  /** The same where the realm has no copy when it loses power: Debian boots again, and the work is typed again. */
  async liveAnew(inputs: readonly TimedWorldInput[], rounds: number): Promise<WorkLife> {
    const { session } = this, last = Math.max(...inputs.map(({ time }) => time));
    this.#begin(inputs);
    await this.run(last, () => {
      this.#look();
      return false;
    });
    await this.#untilWritten(PROMPT);
    this.#writes = [];
    session.give(typed(session.now, EAST, rounds));
    await this.#untilWritten(DONE);
    const text = this.#writes.map((one) => one.text).join("");
    const isWhole = withoutLog(text) === withoutLog(this.alone);
    return await this.#ended(isWhole ? [] : [`booted again, it wrote ${JSON.stringify(text)}`]);
  }

  /** The work is done: one runs; and when both hosts lose power then, one comes back. */
  async #ended(wrong: readonly string[]): Promise<WorkLife> {
    const { session } = this, { now: time, roots } = session, all = [...wrong], running = this.#running;
    if (running.length !== 1) all.push(`${running.length} of it run in the end`);
    for (const node of [EAST, WEST]) {
      session.give(powered(time + 1, node, false));
      session.give(powered(time + 1 + AWAY, node, true));
    }
    const before = [...roots];
    await this.run(time + SETTLED, () => {
      this.#look();
      return false;
    });
    const back = this.#running;
    if (back.join() !== running.join()) all.push(`it ended at ${running}, and comes back at "${back}"`);
    if (this.#most > 1) all.push(`${this.#most} of it ran at one time`);
    return { wrong: all, end: running[0] ?? EAST, time, roots: before };
  }
}
