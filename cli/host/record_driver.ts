/** Drives a recording: runs it in slices, and between them sees to keys, scripts, signals, pacing and the disk. */
import type { Stop } from "../../machine/machine.ts";
import { InputRefusedError } from "../../machine/errors.ts";
import type { Input } from "../../machine/events.ts";
import type { RunEnd } from "../../journal/payloads.ts";
import { ConsoleMatcher } from "../console_matcher.ts";
import { inputText } from "../script.ts";
import { grouped } from "../text.ts";
import type { DueInput } from "../script_run.ts";
import type { Driven, DriveOptions } from "./drivable.ts";
import { BrokenPipeError } from "./host.ts";
import { OperatorKeys, type OperatorWish } from "./operator_keys.ts";
import { Pace } from "./pace.ts";

/** Virtual nanoseconds for which a run goes on after a text of `endTexts`: what is written behind it is wanted too. */
const GRACE = 200_000_000;

/** Longest slice in milliseconds of host time: keys and signals are seen only between slices. */
const SLICE = 15;
/** Steps of the first slice, of the shortest and of the longest. */
const STEPS = { first: 10_000, least: 64, most: 1 << 26 };
/** What was gathered is written after this many milliseconds. */
const FLUSH = 900;

type EndReason = RunEnd["reason"];

/** One recording on its way. */
class Drive {
  readonly #console: number[] = [];
  readonly #pending: Exclude<OperatorWish, { kind: "end" }>[] = [];
  readonly #keys: OperatorKeys;
  readonly #pace: Pace;
  #steps = STEPS.first;
  #flushedAt: number;
  #breathedAt: number;
  #wantsEnd = false;
  #inputEnded: boolean;
  /** The machine stands at a boundary where it looked for a CPU in vain. */
  #isWaiting = false;
  #failure: string | undefined;
  readonly #endTexts: readonly ConsoleMatcher[];
  /** Virtual time at which the recording ends because of a text. */
  #endsAt = Infinity;
  /** Aborted, and replaced, when a key or a signal comes. */
  #wake = new AbortController();

  constructor(private readonly options: DriveOptions) {
    const { recorder, host, script } = options;
    this.#keys = new OperatorKeys((text) => host.stderr.write(text));
    this.#pace = new Pace(host);
    this.#flushedAt = this.#breathedAt = host.now();
    this.#inputEnded = !options.readsInput;
    this.#endTexts = (options.endTexts ?? []).map((text) => new ConsoleMatcher(text));
    recorder.machine.board.transmitted = (byte) => {
      this.#console.push(byte);
      if (script.consoleByte(byte)) recorder.machine.requestStop();
      for (const text of this.#endTexts) if (text.push(byte)) this.#endSoon();
    };
  }

  /** The console wrote one of the texts that end the recording. */
  #endSoon(): void {
    const { machine } = this.options.recorder;
    this.#endsAt = Math.min(this.#endsAt, machine.virtualTime + GRACE);
    machine.requestStop();
  }

  /** A key, a piped byte or a signal has come. */
  #interrupt(): void {
    this.#wake.abort();
    this.#wake = new AbortController();
  }

  /** Takes in keys as they come, until the end of the recording. */
  listen(): () => void {
    const { host, readsInput, bridges, recorder, debug } = this.options;
    debug?.attach(() => this.#interrupt());
    const isRaw = readsInput && host.stdin.isTerminal;
    if (isRaw) host.stdin.setRaw(true);
    if (readsInput) {
      host.stdin.start((bytes) => this.#received(bytes, isRaw), () => {
        this.#inputEnded = true;
        this.#interrupt();
      });
    }
    if (bridges !== undefined) {
      recorder.machine.board.events.add(bridges);
      bridges.listen(() => this.#interrupt());
    }
    const unlisten = host.onInterrupt(() => {
      this.#wantsEnd = true;
      this.#interrupt();
    });
    return () => {
      unlisten();
      if (isRaw) host.stdin.setRaw(false);
    };
  }

  #received(bytes: Uint8Array, isRaw: boolean): void {
    if (!isRaw) this.#pending.push({ kind: "keys", input: { kind: "consoleReceived", bytes } });
    else {
      for (const wish of this.#keys.push(bytes)) {
        if (wish.kind === "end") this.#wantsEnd = true;
        else this.#pending.push(wish);
      }
    }
    this.#interrupt();
  }

  /** Runs to the end of the recording, and says why it ended. */
  async run(): Promise<{ reason: EndReason; exitCode: number; isWaiting: boolean }> {
    for (;;) {
      await this.#stand();
      // A breakpoint may be behind what belongs to a step boundary, where inputs are not taken and no run ends.
      if (this.options.debug?.isAtBoundary !== false) {
        this.#deliverDue();
        this.#deliverPending();
        const reason = this.#endReason();
        if (reason !== undefined) return { reason, exitCode: 0, isWaiting: this.#isWaiting };
      }
      const stop = this.#slice();
      if (stop.reason === "poweredOff") {
        return { reason: stop.cut ? "powerCut" : "poweredOff", exitCode: stop.exitCode, isWaiting: false };
      }
      if (stop.reason === "waiting") await this.#idle(stop.deadline);
      else if (stop.reason === "resting" && !await this.#rest()) {
        const reason = this.#endsAt < Infinity ? "console" : "resting";
        return { reason, exitCode: 0, isWaiting: this.#isWaiting };
      }
      await this.#breathe();
    }
  }

  /** Lets the machine stand still while a debugger wants it to. */
  async #stand(): Promise<void> {
    const { host, debug } = this.options;
    if (debug?.isHalted !== true) return;
    this.#showConsole();
    this.#flush();
    while (debug.isHalted && !debug.wantsEnd && !this.#wantsEnd) await host.sleep(60_000, this.#wake.signal);
  }

  #endReason(): EndReason | undefined {
    const { recorder: { machine }, script, until, endsAtReset, watch } = this.options;
    if (script.isEnded || machine.virtualTime >= this.#endsAt) return "console";
    if (watch !== undefined && machine.instant % watch.every === 0 && watch.holds(machine)) {
      return "condition";
    }
    if (until !== undefined && machine.instant >= until) return "instant";
    if (endsAtReset && machine.resetPending) return "reset";
    const wantsEnd = this.#wantsEnd || this.options.debug?.wantsEnd === true;
    return wantsEnd || this.#failure !== undefined ? "operator" : undefined;
  }

  /** Hands over what the script has for the present instant. */
  #deliverDue(): void {
    const { recorder: { machine }, script } = this.options;
    for (const due of script.takeDue(machine.instant)) if (!this.#deliver(due)) return;
  }

  /** Hands over one input of a script; false when the run cannot go on without it. */
  #deliver({ input, place, virtualTime, mayBeLeftOut }: DueInput): boolean {
    const { recorder: { machine }, host } = this.options;
    // A machine that has something to do before then takes it when it has.
    if (virtualTime !== undefined && virtualTime > machine.virtualTime) machine.wait(virtualTime);
    const refusal = this.#submit(input);
    if (refusal === undefined) return true;
    if (mayBeLeftOut === true) {
      host.stderr.write(`hindsight: ${place} is left out: ${refusal}\n`);
      return true;
    }
    this.#failure = `${place}: ${refusal}`;
    return false;
  }

  /** Frames wait behind what was typed. */
  #takeFrames(): void {
    for (const input of this.options.bridges?.take() ?? []) this.#pending.push({ kind: "keys", input });
  }

  /** Hands over what came from outside, stamped now or, where the machine waits, `time`. */
  #deliverPending(time?: number): void {
    const { host: { stderr }, recorder: { machine } } = this.options;
    this.#takeFrames();
    for (const { kind, input } of this.#pending.splice(0)) {
      const refusal = this.#submit(input, time);
      if (refusal !== undefined) stderr.write(`${refusal}\r\n`);
      else if (kind === "action") {
        stderr.write(`${inputText(input)} at instant ${grouped(machine.instant)}\r\n`);
      }
      if (kind === "action") this.#keys.prompt();
    }
  }

  /** Submits an input; the reason when the machine does not take it. */
  #submit(input: Input, time?: number): string | undefined {
    const { recorder } = this.options;
    try {
      // First, since a refusal must not have moved time or served an alarm.
      recorder.machine.checkInput(input);
      recorder.submit(input, time);
    } catch (error) {
      if (!(error instanceof InputRefusedError)) throw error;
      return error.message;
    }
    this.#isWaiting = false;
    this.#flushedAt = this.options.host.now();
    return undefined;
  }

  /** Runs one slice, and makes the next as long as fits. */
  #slice(): Stop {
    const { recorder, host, script, isPaced, debug } = this.options;
    const { instant } = recorder.machine;
    const most = Math.min(this.#steps, debug?.mostSteps ?? Infinity);
    const limit = Math.min(instant + most, script.nextInstant, this.#nextLook());
    const started = host.now();
    const stop = recorder.run(limit, isPaced);
    debug?.ran(stop);
    this.#isWaiting = stop.reason === "waiting" || stop.reason === "resting";
    const took = host.now() - started;
    const taken = recorder.machine.instant - instant;
    if (taken >= this.#steps || took > SLICE) {
      const factor = Math.min(2, Math.max(0.25, SLICE / Math.max(took, 1)));
      this.#steps = Math.min(STEPS.most, Math.max(STEPS.least, Math.floor(this.#steps * factor)));
    }
    this.#showConsole();
    if (host.now() - this.#flushedAt > FLUSH) this.#flush();
    return stop;
  }

  /** The next instant at which the run may have to end. */
  #nextLook(): number {
    const { recorder: { machine }, until, watch } = this.options;
    const { instant, virtualTime, configuration: { nanosecondsPerStep } } = machine;
    const look = watch === undefined ? Infinity : (Math.floor(instant / watch.every) + 1) * watch.every;
    const end = instant + Math.max(1, Math.ceil((this.#endsAt - virtualTime) / nanosecondsPerStep));
    return Math.min(until ?? Infinity, look, end);
  }

  #flush(): void {
    this.options.recorder.flush();
    this.#flushedAt = this.options.host.now();
  }

  #showConsole(): void {
    if (this.#console.length > 0) this.options.show(Uint8Array.from(this.#console.splice(0)));
  }

  /** Lets idle time pass; a key cuts it at its own time. */
  async #idle(deadline: number): Promise<void> {
    const { machine } = this.options.recorder;
    const from = machine.virtualTime;
    if (this.#pace.isWorthWaiting(deadline - from)) {
      this.#flush();
      const time = from + await this.#pace.wait(deadline - from, this.#wake.signal);
      if (this.#wantsEnd || this.options.debug?.isHalted === true) return;
      this.#takeFrames();
      if (time < deadline && this.#pending.length > 0) return this.#deliverPending(time);
      if (time < deadline) return;
    }
    machine.wait(deadline);
  }

  /** Nothing is due: waits for a key, if one can come; false when none can. */
  async #rest(): Promise<boolean> {
    const { host, recorder: { machine }, bridges, script, debug } = this.options;
    this.#flush();
    if (this.#endsAt < Infinity) return false;
    const repeated = script.takeRepeated();
    if (repeated !== undefined) return this.#deliver(repeated);
    const from = machine.virtualTime, started = host.now();
    this.#takeFrames();
    const mayCome = (): boolean => !this.#inputEnded || bridges !== undefined;
    const isEnding = (): boolean => this.#wantsEnd || debug?.wantsEnd === true;
    while (this.#pending.length === 0 && mayCome() && !isEnding()) {
      await host.sleep(60_000, this.#wake.signal);
      this.#takeFrames();
    }
    await this.#stand();
    if (this.#pending.length === 0) return isEnding();
    const elapsed = this.options.isPaced ? Math.floor((host.now() - started) * 1e6) : 0;
    this.#deliverPending(from + elapsed);
    return true;
  }

  /** Lets signals and keys be seen, and stands still while the operator is at the prompt, doing what is typed there. */
  async #breathe(): Promise<void> {
    const { host, bridges, debug } = this.options;
    if (host.now() - this.#breathedAt >= SLICE / 2) {
      // What comes by a socket takes several turns of the event loop.
      for (let turn = 0; turn < (bridges === undefined && debug === undefined ? 1 : 8); turn++) {
        await host.breathe();
      }
      this.#breathedAt = host.now();
    }
    while (this.#keys.isPrompting && !this.#wantsEnd && !this.#inputEnded) {
      this.#deliverPending();
      await host.sleep(60_000, this.#wake.signal);
    }
  }

  /** Writes the end of the journal. */
  finish({ reason, exitCode, isWaiting }: Awaited<ReturnType<Drive["run"]>>): Driven {
    this.#showConsole();
    const unfinished = this.#wantsEnd ? undefined : this.options.script.unfinished;
    const end = this.options.recorder.finish(reason, exitCode, isWaiting);
    return { end, failure: this.#failure ?? unfinished };
  }

  /** Writes what is known of a run that cannot go on, such as one whose disk image was changed under it. */
  keep(): void {
    try {
      this.options.recorder.flush();
    } catch {
      // The error that ended the run is the one to report.
    }
  }

  /** Ends the journal when nobody reads the console any more. */
  abandon(): void {
    this.options.recorder.finish("operator", 0, this.#isWaiting);
  }
}

/**
 * Records to the end: power-off, a text or an instant asked for, rest, or the operator's word. Throws JournalWriteError
 * when the disk fails; CommandError, with the journal valid up to there, when an image was changed meanwhile; and
 * BrokenPipeError, with the journal ended properly, when the console's reader is gone.
 */
export async function drive(options: DriveOptions): Promise<Driven> {
  const drive = new Drive(options);
  const unlisten = drive.listen();
  try {
    return drive.finish(await drive.run());
  } catch (error) {
    if (error instanceof BrokenPipeError) drive.abandon();
    else drive.keep();
    throw error;
  } finally {
    unlisten();
  }
}
