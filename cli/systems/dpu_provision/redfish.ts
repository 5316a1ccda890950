/** dpu-provision's check of the controller's Redfish service: every answer by its schema, every refusal by its status. */
import { z } from "zod";
import { join } from "../../../machine/network/peer/big_endian.ts";
import { REDFISH, RESOURCES, taskPath } from "../../../world/programs/bmc/redfish.ts";
import { type NodeProgram, nodeProgram } from "../../../world/node_program.ts";
import { buildMessage, parseMessage, statusOf } from "../../../world/stations/http.ts";
import { addressOf, newStation, Station } from "../../../world/stations/station.ts";
import type { CheckContext, CheckOutcome } from "../scenario.ts";
import { live, systemOf } from "./lives.ts";
import { BMC, DPU, HOST, OLD, smallWorld } from "./worlds.ts";

/** A request, and what has to be answered. */
interface Exchange {
  readonly method: string;
  readonly path: string;
  readonly body?: string;
  readonly status: number;
  readonly schema?: keyof typeof RESOURCES;
  /** Must be in the answer. */
  readonly says?: RegExp;
}

const get = (path: string, schema: keyof typeof RESOURCES, says?: RegExp): Exchange => (
  { method: "GET", path, status: 200, schema, ...says === undefined ? {} : { says } }
);
const post = (path: string, body: unknown, status: number, says?: RegExp): Exchange => ({
  ...{ method: "POST", path, status, body: typeof body === "string" ? body : JSON.stringify(body) },
  ...status === 202 ? { schema: "task" } : status === 204 ? {} : { schema: "error" },
  ...says === undefined ? {} : { says },
});

/** Where nobody listens: the client itself. */
const NOWHERE = "http://10.0.7.2/nothing.img";

/** In order, one after the other. */
const EXCHANGES: readonly Exchange[] = [
  get(REDFISH.ROOT, "root"),
  get("/redfish/v1", "root"),
  get(REDFISH.SYSTEM, "system", /"Model":"dpu-small"/),
  get(REDFISH.UPDATE, "update"),
  get(REDFISH.INVENTORY, "inventory", /"Version":"1"/),
  get(REDFISH.MEDIA, "media", /"Inserted":false/),
  get(REDFISH.TASKS, "tasks", /"Members@odata.count":0/),
  { ...get("/redfish/v1/Chassis", "error"), status: 404 },
  { ...get(taskPath(1), "error"), status: 404 },
  { ...get(REDFISH.SIMPLE_UPDATE, "error"), status: 405 },
  post(REDFISH.SYSTEM, {}, 405),
  post(REDFISH.SIMPLE_UPDATE, {}, 400, /ImageURI/),
  post(REDFISH.SIMPLE_UPDATE, { ImageURI: 5 }, 400, /ImageURI/),
  post(REDFISH.SIMPLE_UPDATE, { ImageURI: NOWHERE, Extra: true }, 400, /Extra/),
  post(REDFISH.SIMPLE_UPDATE, { ImageURI: NOWHERE, TransferProtocol: "FTP" }, 400, /TransferProtocol/),
  post(REDFISH.SIMPLE_UPDATE, "{", 400, /no JSON/),
  post(REDFISH.RESET, { ResetType: "Nmi" }, 400, /ResetType/),
  post(REDFISH.EJECT, {}, 409, /no image/),
  post(REDFISH.SIMPLE_UPDATE, { ImageURI: "ftp://10.0.7.2/a.img" }, 202),
  get(taskPath(1), "task", /"TaskState":"Exception".*is no URI of http/),
  post(
    REDFISH.INSERT,
    { Image: NOWHERE, Inserted: true, WriteProtected: true },
    202,
    /"TaskState":"Running"/,
  ),
  get(REDFISH.MEDIA, "media", /"Inserted":true/),
  post(REDFISH.SIMPLE_UPDATE, { ImageURI: NOWHERE }, 409, /Tasks\/2 is at work/),
  post(REDFISH.EJECT, {}, 204),
  get(taskPath(2), "task", /"TaskState":"Cancelled"/),
  get(REDFISH.TASKS, "tasks", /"Members@odata.count":2/),
  post(REDFISH.RESET, { ResetType: "ForceOff" }, 204),
  get(REDFISH.SYSTEM, "system", /"PowerState":"Off"/),
  post(REDFISH.RESET, { ResetType: "On" }, 204),
  get(REDFISH.SYSTEM, "system", /"PowerState":"On"/),
];

/** A client in the host's place, that tells what it was answered. */
function client(): NodeProgram {
  return nodeProgram({
    name: "dpu-host",
    options: z.json(),
    start: (_options, site) => {
      const encoder = new TextEncoder(), own = addressOf("10.0.7.2") as number, state = newStation();
      let next = 0, connection = -1, answer: Uint8Array = new Uint8Array(0);
      const station: Station = new Station(state, {
        ...{ address: own, station: 0x0252_0000_0002, listens: [] },
        times: { retransmission: 500_000, idle: 5_000_000 },
        transmit: (frame) => site.send("lan", frame),
        now: () => site.now,
        arrived: ({ id }, data) => {
          answer = join(answer, data);
          const message = parseMessage(answer);
          if (id !== connection || message === undefined || message === "bad") return;
          if (answer.length < message.body + (message.length ?? 0)) return;
          site.tell(String(statusOf(message)), new TextDecoder().decode(answer.subarray(message.body)));
          station.send(id, new Uint8Array(0), true);
          site.wakeAt(site.now + 100_000);
          next++;
          connection = -1;
        },
        ended: () => {},
        over: () => {},
      });
      // The DPU speaks first.
      site.wakeAt(1_500_000);
      return {
        received: (_port, bytes) => station.received(bytes),
        woken() {
          const exchange = EXCHANGES[next];
          if (exchange === undefined || connection >= 0) return;
          connection = station.connect(addressOf("10.0.7.1") as number, 80);
          answer = new Uint8Array(0);
          const body = encoder.encode(exchange.body ?? "");
          station.send(
            connection,
            buildMessage(`${exchange.method} ${exchange.path} HTTP/1.1`, { Host: "bmc" }, body),
          );
        },
        state: () => ({ next, connection, answer: answer.slice(), state: structuredClone(state) }),
      };
    },
  });
}

/** Asks for every resource and action, rightly and wrongly. */
export function redfishService(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], made = smallWorld();
  const session = live(made, context.machineOptions(), { programs: [client()] });
  const told = session.events.filter((event) => event.kind === "nodeTold" && event.node === HOST);
  for (const [index, { method, path, body = "", status, schema, says }] of EXCHANGES.entries()) {
    const event = told[index], what = `${method} ${path} ${body}`.trim();
    if (event?.kind !== "nodeTold") {
      failures.push(`${what}: no answer`);
      break;
    }
    if (event.what !== String(status)) {
      failures.push(`${what}: status ${event.what}, not ${status}: ${event.detail}`);
    }
    if (schema !== undefined) {
      const parsed = RESOURCES[schema].safeParse(JSON.parse(event.detail || "null"));
      if (!parsed.success) {
        failures.push(
          `${what}: ${parsed.error.issues[0]?.path.join(".")}: ${parsed.error.issues[0]?.message}`,
        );
      }
    } else if (event.detail !== "") failures.push(`${what}: it has a body: ${event.detail}`);
    if (says !== undefined && !says.test(event.detail)) failures.push(`${what}: ${event.detail}`);
  }
  const powers =
    session.events.filter((event) => event.kind === "nodePoweredOff" && event.node === DPU).length;
  if (powers !== 1) failures.push(`the DPU lost power ${powers} times, not once`);
  if (systemOf(session.consoles[DPU]!) !== OLD) failures.push("the DPU does not run what it ran");
  const bmcTold = session.events.filter((event) => event.kind === "nodeTold" && event.node === BMC).length;
  return Promise.resolve({ failures, figures: { exchanges: EXCHANGES.length, "steps told": bmcTold } });
}
