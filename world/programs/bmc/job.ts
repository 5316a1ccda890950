/**
 * The provisioning of a DPU as its management controller drives it: a job of one image, whose progress is kept without
 * power. Everything else that happens, such as a power cycle of anyone, leads back to the DPU saying `ready`, from where the
 * job goes on.
 *
 *     fetching → waking → transferring → staged → installing → (the task is Completed)
 *
 * `waking`: the DPU was power-cycled, and is to say `ready`. What is silent too long is power-cycled again, a bounded number
 * of times. A DPU that refuses, or an image that is not what its manifest says, makes the task an Exception.
 */
import { MESSAGE, REFUSALS } from "../../../machine/dpu_channel.ts";
import { type DpuMessage, readMessage, writeMessage } from "./messages.ts";
import type { ImageManifest, Job, JobRecord, Task } from "./records.ts";

/** Times and sizes of jobs. */
export interface JobOptions {
  /** Nanoseconds after which a DPU that has to say something is power-cycled. */
  readonly answer: number;
  /** Nanoseconds that an installation may take. */
  readonly install: number;
  /** Power cycles of one job. */
  readonly attempts: number;
  /** Bytes of an image in a message, a multiple of 16. */
  readonly chunk: number;
  /** Chunks under way. */
  readonly window: number;
}

/** What a job is carried out with. */
export interface JobSite {
  /** The time, in nanoseconds. */
  now(): number;
  /** What is kept without power. */
  record: JobRecord;
  /** Keeps it. */
  keep(): void;
  /** A message to the DPU. */
  send(bytes: Uint8Array): void;
  /** Switches the DPU's power. */
  power(how: "on" | "off" | "cycle"): void;
  /** Bytes of the image. */
  image(offset: number, size: number): Uint8Array;
  /** Forgets the image. */
  discard(): void;
  /** Tells the world. */
  tell(what: string, detail: string): void;
}

/** What is lost with power: plain values. */
export interface JobState {
  /** When the DPU is silent too long. */
  deadline: number;
  /** Bytes of the image that were sent, and that the DPU has. */
  sent: number;
  taken: number;
  /** The DPU's power, as far as known. */
  isOn: boolean | null;
}

/** What a controller knows at power-on. */
export function newJobState(): JobState {
  return { deadline: Infinity, sent: 0, taken: 0, isOn: null };
}

/** Percent of a job by its phase. */
const PERCENT: Readonly<Record<Job["phase"], number>> = {
  fetching: 0,
  waking: 40,
  transferring: 45,
  staged: 70,
  installing: 75,
};

/** Why an image is not for a DPU of a model, whose volatile disk can have so many bytes. */
function mismatch(manifest: ImageManifest, model: string, room: number): string | undefined {
  if (manifest.model !== model) return `the image is for model "${manifest.model}", the DPU is "${model}"`;
  if (manifest.size <= room) return undefined;
  return `the image has ${manifest.size} bytes, a volatile disk of the DPU ${room} at most`;
}

/** Jobs, one at a time. */
export class Provisioning {
  constructor(
    readonly state: JobState,
    private readonly site: JobSite,
    private readonly options: JobOptions,
  ) {}

  /** The job at work. */
  get job(): Job | undefined {
    return this.site.record.job;
  }

  /** Begins one; gives the task's number. There must be none. Without force, a version that the DPU has is left alone. */
  begin(uri: string, isForced: boolean): number {
    const { record } = this.site, id = (record.tasks.at(-1)?.id ?? 0) + 1;
    record.tasks = [...record.tasks, { id, state: "New" as const, percent: 0, messages: [] }].slice(-16);
    record.job = { task: id, uri, isForced, phase: "fetching", attempts: 0 };
    this.#enter("fetching", `fetching ${uri}`);
    return id;
  }

  /** The controller has power again. */
  resume(): void {
    const { job } = this;
    if (job === undefined) return;
    this.site.tell("job", `resumed while ${job.phase}`);
    if (job.phase === "fetching") return;
    this.#expect(job.phase === "installing" ? this.options.install : this.options.answer);
  }

  /** The manifest is there; true when the image may follow, of a DPU that has not spoken yet as of one that it is for. */
  described(manifest: ImageManifest): boolean {
    const { job, site } = this;
    if (job === undefined) return false;
    job.manifest = manifest;
    site.keep();
    const { model, room, version } = site.record;
    if (!job.isForced && version === manifest.version) {
      this.#complete(job.task, `version ${version} is installed already`);
      return false;
    }
    const reason = model === undefined || room === undefined ? undefined : mismatch(manifest, model, room);
    if (reason !== undefined) this.fail(reason);
    return reason === undefined;
  }

  /** The image is there, and is what its manifest says. */
  fetched(): void {
    if (this.job?.phase !== "fetching") return;
    this.#wake("verified; waking the DPU");
  }

  /** The image, or the job, is not what it should be. */
  fail(reason: string, state: "Exception" | "Cancelled" = "Exception"): void {
    const { job, site } = this;
    if (job === undefined) return;
    delete site.record.job;
    site.discard();
    this.state.deadline = Infinity;
    this.#note(job.task, state, undefined, reason);
  }

  /** Nothing came for too long. */
  expire(): void {
    const { job, state, options } = this;
    if (job === undefined || state.deadline > this.site.now()) return;
    state.deadline = Infinity;
    if (job.phase === "fetching") return;
    if (job.attempts >= options.attempts) return this.fail(`the DPU was silent while ${job.phase}`);
    this.#wake(`the DPU is silent while ${job.phase}; waking it again`);
  }

  /** Takes a message of the DPU. */
  received(bytes: Uint8Array): void {
    const message = readMessage(bytes), { job, site, state } = this;
    if (message === undefined) return;
    state.isOn = true;
    const { model, size } = message, { record } = site;
    if (message.kind === MESSAGE.ready && (record.model !== model || record.room !== size)) {
      record.model = model;
      record.room = size;
      site.keep();
    }
    if (job !== undefined && job.phase !== "fetching" && job.phase !== "installing") {
      this.#expect(this.options.answer);
    }
    switch (message.kind) {
      case MESSAGE.ready:
      case MESSAGE.stranded:
        return this.#ready(message);
      case MESSAGE.want:
        return this.#wanted(message);
      case MESSAGE.refused:
        return this.fail(`the DPU refuses the image: ${REFUSALS[message.code] ?? "for no known reason"}`);
      case MESSAGE.staged:
        if (job?.phase === "transferring") this.#enter("staged", "the volatile disk is there");
        return;
      case MESSAGE.booting:
        return this.#booting(message);
    }
  }

  /** Firmware waits for what to do. */
  #ready({ kind, flags, model, size }: DpuMessage): void {
    const { job, site } = this, manifest = job?.manifest;
    if (job === undefined || job.phase === "fetching" || manifest === undefined) return this.#proceed();
    if ((flags & 1) !== 0 && kind === MESSAGE.ready) {
      if (job.phase !== "staged") this.#enter("staged", "the volatile disk is there");
      return this.#proceed();
    }
    if (job.phase === "installing" && kind === MESSAGE.ready) return this.#proceed();
    const reason = mismatch(manifest, model, size);
    if (reason !== undefined) {
      this.fail(reason);
      return this.#proceed();
    }
    if (job.phase !== "transferring") this.#enter("transferring", "transferring the image");
    this.state.sent = this.state.taken = 0;
    site.send(writeMessage("offer", { manifest }));
  }

  #proceed(): void {
    this.site.send(writeMessage("proceed"));
  }

  #wanted({ offset, digest }: DpuMessage): void {
    const { job, state, site, options: { chunk, window } } = this, manifest = job?.manifest;
    const isOurs = manifest?.sha256 === digest && offset <= (manifest?.size ?? 0);
    if (job === undefined || manifest === undefined || !isOurs) return this.#proceed();
    if (job.phase !== "transferring") return;
    // Asked for the same again: what was sent behind it is lost. Further than was sent: we were without power.
    if (offset <= state.taken || offset > state.sent) state.sent = offset;
    state.taken = offset;
    const end = Math.min(manifest.size, offset + window * chunk);
    while (state.sent < end) {
      const size = Math.min(chunk, manifest.size - state.sent);
      site.send(writeMessage("chunk", { offset: state.sent, data: site.image(state.sent, size) }));
      state.sent += size;
    }
  }

  #booting({ code, version }: DpuMessage): void {
    const { job, site } = this;
    if (code === 0) {
      if (job !== undefined && job.phase !== "fetching") this.#enter("installing", "the installer runs");
      if (job !== undefined) this.#expect(this.options.install);
      return;
    }
    if (site.record.version !== version) {
      site.record.version = version;
      site.keep();
    }
    site.tell("booted", `version ${version}`);
    if (job?.manifest === undefined || job.phase === "fetching") return;
    if (version === job.manifest.version) {
      return this.#complete(job.task, `version ${version} is installed and boots`);
    }
    if (job.attempts >= this.options.attempts) {
      return this.fail(`the DPU boots version ${version} after ${job.attempts} attempts`);
    }
    this.#wake(`the DPU boots version ${version}; beginning again`);
  }

  #complete(task: number, why: string): void {
    delete this.site.record.job;
    this.site.discard();
    this.state.deadline = Infinity;
    this.#note(task, "Completed", 100, why);
  }

  #wake(why: string): void {
    const { job, site } = this;
    if (job === undefined) return;
    job.attempts++;
    this.#enter("waking", why);
    this.state.isOn = true;
    site.power("cycle");
    this.#expect(this.options.answer);
  }

  #expect(time: number): void {
    this.state.deadline = this.site.now() + time;
  }

  #enter(phase: Job["phase"], why: string): void {
    const { job } = this;
    if (job === undefined) return;
    job.phase = phase;
    this.#note(job.task, "Running", PERCENT[phase], why);
  }

  #note(id: number, state: Task["state"], percent: number | undefined, message: string): void {
    const { record } = this.site;
    record.tasks = record.tasks.map((task) =>
      task.id === id
        ? {
          ...task,
          state,
          percent: percent ?? task.percent,
          messages: [...task.messages, message].slice(-32),
        }
        : task
    );
    this.site.keep();
    this.site.tell("task", `${id} ${state}: ${message}`);
  }
}
