/**
 * `bmc`: the management controller of a DPU. On the port `lan` it is a station with a Redfish-like service at TCP port 80;
 * on `dpu` it speaks with the DPU's firmware, on `power` it switches the DPU. SimpleUpdate and InsertMedia begin a job (see
 * `job.ts`), of which there is one at a time. Jobs and images are kept without power.
 */
import { z } from "zod";
import { join } from "../../../machine/network/peer/big_endian.ts";
import { buildMessage, parseMessage } from "../../stations/http.ts";
import { addressOf, newStation, Station, type StationState } from "../../stations/station.ts";
import { type NodeProcess, type NodeProgram, nodeProgram, type NodeSite } from "../../node_program.ts";
import { discardImage, Fetch, type FetchState, imageBytes, newFetch } from "./fetch.ts";
import { type JobState, newJobState, Provisioning } from "./job.ts";
import { type JobRecord, recordSchema } from "./records.ts";
import { errorResource, REDFISH, REQUEST_BODIES, resourceAt, taskPath, taskResource } from "./redfish.ts";

const time = (value: number) => z.int().min(1000).max(3.6e12).default(value);
const options = z.strictObject({
  /** Its IPv4 address. */
  address: z.string().refine((text) => addressOf(text) !== undefined, "no IPv4 address").default("10.0.7.1"),
  /** See `JobOptions`; nanoseconds. */
  answer: time(2_000_000_000),
  install: time(120_000_000_000),
  attempts: z.int().min(1).max(100).default(4),
  chunk: z.int().min(16).max(61_440).multipleOf(16).default(61_440),
  window: z.int().min(1).max(16).default(4),
  /** Nanoseconds before a segment is sent again, a silent connection is given up, and a fetch is tried again. */
  retransmission: time(300_000_000),
  idle: time(10_000_000_000),
  retry: time(1_000_000_000),
  /** How often. */
  tries: z.int().min(0).max(100).default(5),
});
type Options = z.infer<typeof options>;

/** All that a controller keeps while it has power: plain values. */
interface BmcState {
  readonly station: StationState;
  readonly job: JobState;
  requests: { readonly id: number; bytes: Uint8Array }[];
  fetch: FetchState | null;
}

const RECORD = "record", HTTP_PORT = 80, MOST_REQUEST = 16_384;
const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  202: "Accepted",
  204: "No Content",
  400: "Bad Request",
  404: "Not Found",
  405: "Method Not Allowed",
  409: "Conflict",
};
const encoder = new TextEncoder(), decoder = new TextDecoder();

/** What the store has; nothing where it has nothing that holds. */
function storedRecord(store: ReadonlyMap<string, Uint8Array>): JobRecord {
  const bytes = store.get(RECORD);
  return bytes === undefined ? { tasks: [] } : recordSchema.parse(JSON.parse(decoder.decode(bytes)));
}

/** A record as it is stored: the same bytes for what is equal, in whatever order it came about. */
function recordBytes({ tasks, version, model, room, job }: JobRecord): Uint8Array {
  return encoder.encode(JSON.stringify({ tasks, version, model, room, job }));
}

/** A controller with power. */
class Bmc implements NodeProcess {
  readonly #state: BmcState;
  readonly #record: JobRecord;
  readonly #station: Station;
  readonly #jobs: Provisioning;

  constructor(private readonly options: Options, private readonly site: NodeSite, state?: BmcState) {
    this.#state = state ?? { station: newStation(), job: newJobState(), requests: [], fetch: null };
    this.#record = storedRecord(site.store);
    const address = addressOf(options.address) as number;
    this.#station = new Station(this.#state.station, {
      address,
      station: 0x0252_0000_0000 + address,
      listens: [HTTP_PORT],
      times: options,
      transmit: (frame) => site.send("lan", frame),
      now: () => site.now,
      arrived: (connection, data) =>
        connection.isClient ? this.#fetched(connection.id, data) : this.#asked(connection.id, data),
      ended: ({ id, isClient }) => isClient ? this.#lost(id, "ended") : undefined,
      over: ({ id, isClient }, why) => {
        if (isClient) this.#lost(id, why);
        this.#state.requests = this.#state.requests.filter((request) => request.id !== id);
      },
    });
    this.#jobs = new Provisioning(this.#state.job, {
      now: () => site.now,
      record: this.#record,
      keep: () => void site.store.set(RECORD, recordBytes(this.#record)),
      send: (bytes) => site.send("dpu", bytes),
      power: (how) => site.send("power", encoder.encode(how)),
      image: (offset, size) => imageBytes(site.store, offset, size),
      discard: () => discardImage(site.store),
      tell: (what, detail) => site.tell(what, detail),
    }, options);
    if (state !== undefined) return;
    this.#jobs.resume();
    this.#fetch()?.begin();
    this.#wind();
  }

  /** The fetch at work, if a job is so far. */
  #fetch(): Fetch | undefined {
    const { job } = this.#record, { site } = this;
    if (job?.phase !== "fetching") {
      this.#state.fetch = null;
      return undefined;
    }
    this.#state.fetch ??= newFetch(site.store, job.manifest !== undefined);
    return new Fetch(this.#state.fetch, { uri: job.uri, manifest: job.manifest }, {
      now: () => site.now,
      store: site.store,
      station: this.#station,
      described: (manifest) => {
        if (this.#jobs.described(manifest)) this.#fetch()?.begin();
      },
      fetched: () => this.#jobs.fetched(),
      failed: (reason) => this.#jobs.fail(reason),
    }, this.options);
  }

  #fetched(id: number, data: Uint8Array): void {
    if (this.#state.fetch?.connection === id) this.#fetch()?.arrived(data);
  }

  #lost(id: number, why: Parameters<Fetch["lost"]>[0]): void {
    if (this.#state.fetch?.connection === id) this.#fetch()?.lost(why);
  }

  /** The earliest of all that is waited for. */
  #wind(): void {
    const { job, fetch } = this.#state, waits = fetch?.connection === null ? fetch.retryAt : undefined;
    this.site.wakeAt(Math.min(this.#station.deadline, job.deadline, waits ?? Infinity));
  }

  received(port: string, bytes: Uint8Array): void {
    if (port === "lan") this.#station.received(bytes);
    if (port === "dpu") this.#jobs.received(bytes);
    this.#wind();
  }

  woken(): void {
    this.#station.expire();
    this.#jobs.expire();
    this.#fetch()?.expire();
    this.#wind();
  }

  #asked(id: number, data: Uint8Array): void {
    const known = this.#state.requests.find((request) => request.id === id),
      request = known ?? { id, bytes: data };
    if (known === undefined) this.#state.requests.push(request);
    else known.bytes = join(known.bytes, data);
    const message = parseMessage(request.bytes);
    if (message === undefined) return;
    if (message === "bad") return this.#answer(id, 400, errorResource("the request is no HTTP"));
    const length = message.body + (message.length ?? 0);
    if (length > MOST_REQUEST) return this.#answer(id, 400, errorResource("the request is too long"));
    if (request.bytes.length < length) return;
    const [, method = "", path = ""] = /^([A-Z]+) ([!-~]+) HTTP\/1\.[01]$/.exec(message.first) ?? [];
    this.#state.requests = this.#state.requests.filter((one) => one.id !== id);
    this.#answer(id, ...this.#serve(method, path, request.bytes.subarray(message.body, length)));
  }

  #answer(id: number, status: number, resource: unknown): void {
    const body = resource === undefined ? undefined : encoder.encode(JSON.stringify(resource));
    const location = status === 202 ? { Location: (resource as { "@odata.id": string })["@odata.id"] } : {};
    const fields = { ...body === undefined ? {} : { "Content-Type": "application/json" }, ...location };
    const bytes = buildMessage(
      `HTTP/1.1 ${status} ${REASONS[status]}`,
      { "OData-Version": "4.0", ...fields },
      body,
    );
    this.#station.send(id, bytes, true);
  }

  #serve(method: string, path: string, body: Uint8Array): [status: number, resource: unknown] {
    const { model, version, tasks, job } = this.#record,
      refuse = (status: number, why: string) => [status, errorResource(why)] as [number, unknown];
    const shown = { model, version, tasks, isOn: this.#state.job.isOn, image: job?.uri };
    const schema = Object.hasOwn(REQUEST_BODIES, path)
      ? REQUEST_BODIES[path as keyof typeof REQUEST_BODIES]
      : undefined;
    if (schema === undefined) {
      const resource = resourceAt(path, shown);
      if (resource === undefined) return refuse(404, `there is no ${path}`);
      return method === "GET" || method === "HEAD"
        ? [200, resource]
        : refuse(405, `${method} is not for ${path}`);
    }
    if (method !== "POST") return refuse(405, `${method} is not for an action`);
    let given: unknown;
    try {
      given = JSON.parse(decoder.decode(body));
    } catch {
      return refuse(400, "the body is no JSON");
    }
    const parsed = schema.safeParse(given);
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      return refuse(400, `${issue?.path.join(".") || "the body"}: ${issue?.message}`);
    }
    return this.#act(path, parsed.data);
  }

  #act(path: string, given: Readonly<Record<string, unknown>>): [status: number, resource: unknown] {
    const { job } = this.#record, conflict = (why: string): [number, unknown] => [409, errorResource(why)];
    if (path === REDFISH.RESET) {
      if (job !== undefined && job.phase !== "fetching") {
        return conflict(`${taskPath(job.task)} has the DPU's power`);
      }
      const how = { On: "on", ForceOff: "off", PowerCycle: "cycle" }[given["ResetType"] as string] as "on";
      this.#state.job.isOn = how !== "off" as string;
      this.site.send("power", encoder.encode(how));
      return [204, undefined];
    }
    if (path === REDFISH.EJECT) {
      if (job === undefined) return conflict("no image is inserted");
      if (job.phase === "staged" || job.phase === "installing") return conflict("the installer has it");
      this.#stopFetch();
      this.#jobs.fail("ejected", "Cancelled");
      return [204, undefined];
    }
    if (job !== undefined) return conflict(`${taskPath(job.task)} is at work`);
    this.#state.fetch = null;
    const id = this.#jobs.begin(String(given["ImageURI"] ?? given["Image"]), given["ForceUpdate"] === true);
    this.#fetch()?.begin();
    const task = this.#record.tasks.find((one) => one.id === id);
    return [202, task && taskResource(task)];
  }

  #stopFetch(): void {
    const id = this.#state.fetch?.connection;
    if (this.#state.fetch !== null) this.#state.fetch.connection = null;
    if (id !== undefined && id !== null) this.#station.abort(id);
  }

  state(): unknown {
    return structuredClone(this.#state);
  }
}

/** The program. */
export const bmc: NodeProgram = nodeProgram<Options>({
  name: "bmc",
  options,
  start: (options, site) => new Bmc(options, site),
  resume: (state, options, site) => new Bmc(options, site, structuredClone(state) as BmcState),
});
