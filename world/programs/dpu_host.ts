/**
 * `dpu-host`: what an installer on a DPU's host does, in place of a machine with Linux: it asks the management controller
 * for the DPU's model and version, picks the image, publishes it with its manifest over HTTP on the port `lan`, tells the
 * controller where, and looks at the task until it is over. At every power-on it does so again; a DPU that has the version
 * is left alone.
 */
import { z } from "zod";
import { join } from "../../machine/network/peer/big_endian.ts";
import { buildMessage, parseMessage, statusOf } from "../stations/http.ts";
import { addressOf, newStation, Station, type StationState } from "../stations/station.ts";
import { type NodeProcess, type NodeProgram, nodeProgram, type NodeSite } from "../node_program.ts";
import { REDFISH } from "./bmc/redfish.ts";

const address = z.string().refine((text) => addressOf(text) !== undefined, "no IPv4 address");
const time = (value: number) => z.int().min(1000).max(3.6e12).default(value);
const options = z.strictObject({
  /** Its IPv4 address, and the controller's. */
  address: address.default("10.0.7.2"),
  bmc: address.default("10.0.7.1"),
  /** Which image is for whom: its path below. */
  images: z.array(z.strictObject({ model: z.string(), version: z.int(), path: z.string() })),
  /** What is published: path and contents, in Base64. */
  files: z.array(z.strictObject({ path: z.string(), base64: z.base64() })),
  /** Nanoseconds between two looks, or tries. */
  poll: time(500_000_000),
  retransmission: time(300_000_000),
  idle: time(10_000_000_000),
});
type Options = z.infer<typeof options>;

/** What it does next. */
type Step = "system" | "inventory" | "update" | "task" | "done";

interface HostState {
  readonly station: StationState;
  step: Step;
  wakeAt: number;
  /** The request under way, and what came of it. */
  connection: number | null;
  answer: Uint8Array;
  /** Requests of others that are not complete. */
  requests: { readonly id: number; bytes: Uint8Array }[];
  model: string;
  task: string;
  lastState: string;
}

const NOTHING = new Uint8Array(0), HTTP_PORT = 80;
const encoder = new TextEncoder(), decoder = new TextDecoder();
const answers = z.object({
  Model: z.string().nullable().optional(),
  Version: z.string().nullable().optional(),
  TaskState: z.string().optional(),
  "@odata.id": z.string().optional(),
  error: z.object({ message: z.string() }).optional(),
});

/** The installer at work. */
class DpuHost implements NodeProcess {
  readonly #state: HostState;
  readonly #station: Station;

  constructor(private readonly options: Options, private readonly site: NodeSite, state?: HostState) {
    this.#state = state ?? {
      ...{ station: newStation(), step: "system", wakeAt: 0, connection: null, answer: NOTHING },
      ...{ requests: [], model: "", task: "", lastState: "" },
    };
    const own = addressOf(options.address) as number;
    this.#station = new Station(this.#state.station, {
      address: own,
      station: 0x0252_0000_0000 + own,
      listens: [HTTP_PORT],
      times: options,
      transmit: (frame) => site.send("lan", frame),
      now: () => site.now,
      arrived: ({ id, isClient }, data) => isClient ? this.#answered(id, data) : this.#asked(id, data),
      ended: ({ id, isClient }) => isClient ? this.#lost(id) : undefined,
      over: ({ id, isClient }) => {
        if (isClient) this.#lost(id);
        this.#state.requests = this.#state.requests.filter((request) => request.id !== id);
      },
    });
    if (state !== undefined) return;
    this.#next();
    this.#wind();
  }

  #wind(): void {
    this.site.wakeAt(Math.min(this.#station.deadline, this.#state.wakeAt));
  }

  received(_port: string, bytes: Uint8Array): void {
    this.#station.received(bytes);
    this.#wind();
  }

  woken(): void {
    this.#station.expire();
    if (this.#state.wakeAt <= this.site.now) this.#next();
    this.#wind();
  }

  #request(method: "GET" | "POST", path: string, body?: unknown): void {
    const { state } = { state: this.#state }, to = addressOf(this.options.bmc) as number;
    const bytes = body === undefined ? NOTHING : encoder.encode(JSON.stringify(body));
    const fields = body === undefined ? {} : { "Content-Type": "application/json" };
    state.connection = this.#station.connect(to, HTTP_PORT);
    state.answer = NOTHING;
    state.wakeAt = Infinity;
    const message = buildMessage(`${method} ${path} HTTP/1.1`, { Host: this.options.bmc, ...fields }, bytes);
    this.#station.send(state.connection, message);
  }

  #image(): Options["images"][number] | undefined {
    return this.options.images.find(({ model }) => model === this.#state.model);
  }

  /** Does the present step. */
  #next(): void {
    switch (this.#state.step) {
      case "system":
        return this.#request("GET", REDFISH.SYSTEM);
      case "inventory":
        return this.#request("GET", REDFISH.INVENTORY);
      case "update": {
        const ImageURI = `http://${this.options.address}${this.#image()?.path ?? "/"}`;
        return this.#request("POST", REDFISH.SIMPLE_UPDATE, { ImageURI, TransferProtocol: "HTTP" });
      }
      case "task":
        return this.#request("GET", this.#state.task);
      case "done":
        this.#state.wakeAt = Infinity;
    }
  }

  #lost(id: number): void {
    if (this.#state.connection !== id) return;
    this.#state.connection = null;
    this.#later();
  }

  #later(): void {
    this.#state.wakeAt = this.site.now + this.options.poll;
  }

  #go(step: Step): void {
    this.#state.step = step;
    this.#next();
  }

  #answered(id: number, data: Uint8Array): void {
    const state = this.#state;
    if (state.connection !== id) return;
    state.answer = join(state.answer, data);
    const message = parseMessage(state.answer);
    if (message === undefined || message === "bad") return;
    if (state.answer.length < message.body + (message.length ?? Infinity)) return;
    const status = statusOf(message), text = decoder.decode(state.answer.subarray(message.body));
    state.connection = null;
    this.#station.send(id, NOTHING, true);
    let value: z.infer<typeof answers> | undefined;
    try {
      value = answers.safeParse(JSON.parse(text)).data;
    } catch {
      value = undefined;
    }
    if (value === undefined) return this.#later();
    this.#took(status, value);
  }

  #took(status: number, value: z.infer<typeof answers>): void {
    const state = this.#state, { site } = this;
    switch (state.step) {
      case "system":
        if (typeof value.Model !== "string") return this.#later(); // it has not spoken yet
        state.model = value.Model;
        if (this.#image() !== undefined) return this.#go("inventory");
        site.tell("installer", `there is no image for model "${value.Model}"`);
        return this.#go("done");
      case "inventory":
        if (value.Version !== String(this.#image()?.version)) return this.#go("update");
        site.tell("installer", `version ${value.Version} is installed`);
        return this.#go("done");
      case "update":
        if (status === 202 && value["@odata.id"] !== undefined) {
          state.task = value["@odata.id"];
          site.tell("installer", `${state.task} begins`);
          state.step = "task";
        } else {
          // Somebody else's task is at work: it may be the one that an earlier life of ours began.
          state.step = "inventory";
        }
        return this.#later();
      case "task": {
        const now = value.TaskState ?? `status ${status}`;
        if (now !== state.lastState) site.tell("installer", `${state.task} is ${now}`);
        state.lastState = now;
        if (now !== "New" && now !== "Running") return this.#go("done");
        return this.#later();
      }
      case "done":
    }
  }

  #asked(id: number, data: Uint8Array): void {
    const known = this.#state.requests.find((one) => one.id === id), request = known ?? { id, bytes: data };
    if (known === undefined) this.#state.requests.push(request);
    else known.bytes = join(known.bytes, data);
    const message = parseMessage(request.bytes);
    if (message === undefined) return;
    this.#state.requests = this.#state.requests.filter((one) => one.id !== id);
    const path = message === "bad" ? "" : /^GET ([!-~]+) HTTP\/1\.[01]$/.exec(message.first)?.[1] ?? "";
    const file = this.options.files.find((one) => one.path === path);
    if (file === undefined) return this.#station.send(id, buildMessage("HTTP/1.1 404 Not Found", {}), true);
    const bytes = Uint8Array.fromBase64(file.base64);
    const [, from] =
      /^bytes=(\d{1,12})-$/.exec(message === "bad" ? "" : message?.fields.get("range") ?? "") ?? [];
    const start = from === undefined ? 0 : Math.min(Number(from), bytes.length);
    const first = from === undefined ? "HTTP/1.1 200 OK" : "HTTP/1.1 206 Partial Content";
    const fields = from === undefined
      ? {}
      : { "Content-Range": `bytes ${start}-${bytes.length - 1}/${bytes.length}` };
    this.#station.send(id, buildMessage(first, fields, bytes.subarray(start)), true);
  }

  state(): unknown {
    return structuredClone(this.#state);
  }
}

/** The program. */
export const dpuHost: NodeProgram = nodeProgram<Options>({
  name: "dpu-host",
  options,
  start: (options, site) => new DpuHost(options, site),
  resume: (state, options, site) => new DpuHost(options, site, structuredClone(state) as HostState),
});
