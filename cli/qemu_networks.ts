/** QEMU's options of networks: `-netdev` and `-nic`. */
import { UsageError } from "./errors.ts";
import type { NetworkRequest, RequestDraft, UdpAddress } from "./machine_request.ts";
import { wholeNumber } from "./options.ts";
import { eachProperty, properties, type Property } from "./properties.ts";
import { driverNamed, plainDevice } from "./qemu_devices.ts";
import { suggestion } from "./suggest.ts";

/** Reads what follows a network's kind; `option` is its name in messages. */
type Backend = (option: string, id: string, list: readonly Property[]) => NetworkRequest;

function user(option: string, id: string, list: readonly Property[]): NetworkRequest {
  let folder: string | undefined, bootFile: string | undefined;
  const instead = (key: string, why: string) => (): void => {
    throw new UsageError(`${option}: ${key} is not possible here: ${why}`);
  };
  eachProperty(option, list, {
    tftp: (value) => void (folder = value),
    bootfile: (value) => void (bootFile = value),
    hostfwd: instead("hostfwd", "the peer is inside the machine; use -netdev dgram to let frames in"),
    guestfwd: instead("guestfwd", "the peer is inside the machine; use -netdev dgram to let frames out"),
    restrict: () => {}, // There is nothing outside to be reached.
  });
  return { kind: "user", id, folder, bootFile };
}

/** `HOST:PORT`; no host is this machine. */
function udpAddress(option: string, key: string, text: string, smallest: number): UdpAddress {
  const [, host = "", port = ""] = /^(.*):([0-9]+)$/.exec(text) ?? [];
  if (port === "") throw new UsageError(`${option}: ${key} is HOST:PORT, not "${text}"`);
  return {
    host: host === "" ? "127.0.0.1" : host,
    port: wholeNumber(port, `${option}: the port of ${key}`, smallest, 65535),
  };
}

/** `dgram` as QEMU 7.2 has it: `local.type=inet,local.host=H,local.port=P,remote.type=inet,…`. */
function dgram(option: string, id: string, list: readonly Property[]): NetworkRequest {
  const given = new Map<string, string>();
  const rows = ["local", "remote"].flatMap((side) =>
    ["type", "host", "port", "ipv4", "ipv6"].map((key) => `${side}.${key}`)
  );
  eachProperty(
    option,
    list,
    Object.fromEntries(rows.map((key) => [key, (value) => void given.set(key, value)])),
  );
  const side = (name: string, smallest: number): UdpAddress => {
    const type = given.get(`${name}.type`);
    if (type !== undefined && type !== "inet") {
      throw new UsageError(`${option}: ${name}.type=${type} is not possible here; use ${name}.type=inet`);
    }
    const [host, port] = [given.get(`${name}.host`), given.get(`${name}.port`)];
    if (host === undefined || port === undefined) {
      throw new UsageError(`${option} needs ${name}.type=inet,${name}.host=HOST,${name}.port=PORT`);
    }
    return udpAddress(option, name, `${host}:${port}`, smallest);
  };
  return { kind: "bridge", id, local: side("local", 0), remote: side("remote", 1) };
}

/** `socket` with `udp=`: datagrams as well. */
function socket(option: string, id: string, list: readonly Property[]): NetworkRequest {
  let remote: UdpAddress | undefined, local: UdpAddress | undefined;
  const refuse = (key: string) => (): void => {
    throw new UsageError(`${option}: ${key}= is not built; use udp=HOST:PORT,localaddr=HOST:PORT`);
  };
  eachProperty(option, list, {
    udp: (value) => void (remote = udpAddress(option, "udp", value, 1)),
    localaddr: (value) => void (local = udpAddress(option, "localaddr", value, 0)),
    listen: refuse("listen"),
    connect: refuse("connect"),
    mcast: refuse("mcast"),
    fd: refuse("fd"),
  });
  if (remote === undefined || local === undefined) {
    throw new UsageError(`${option} needs udp=HOST:PORT,localaddr=HOST:PORT`);
  }
  return { kind: "bridge", id, local, remote };
}

/** `link`, which QEMU has not: a cable to another node of a world; without a world, to nowhere. */
function link(option: string, id: string, list: readonly Property[]): NetworkRequest {
  eachProperty(option, list, {});
  return { kind: "link", id };
}

const BACKENDS: Readonly<Record<string, Backend>> = { user, dgram, socket, link };

function backend(option: string, kind: string, id: string, list: readonly Property[]): NetworkRequest {
  const read = Object.hasOwn(BACKENDS, kind) ? BACKENDS[kind] : undefined;
  if (read !== undefined) return read(`${option} ${kind}`, id, list);
  const kinds = Object.keys(BACKENDS);
  throw new UsageError(
    `${option} ${kind} is not built: there are ${kinds.join(", ")}${suggestion(kind, kinds)}`,
  );
}

function addNetwork({ networks }: RequestDraft, network: NetworkRequest): void {
  if (networks.some(({ id }) => id === network.id)) {
    throw new UsageError(`-netdev: id=${network.id} is given twice`);
  }
  networks.push(network);
}

/** `-netdev`. */
export function readNetdev(draft: RequestDraft, text: string): void {
  const [[, kind] = ["", ""], ...list] = properties(text, "type");
  const id = list.find(([key]) => key === "id")?.[1];
  if (id === undefined) {
    throw new UsageError(`-netdev ${text} needs id=NAME, which a device takes with netdev=NAME`);
  }
  addNetwork(draft, backend("-netdev", kind, id, list.filter(([key]) => key !== "id")));
}

/** `-nic`: a network and the card in front of it. */
export function readNic(draft: RequestDraft, text: string): void {
  const [[, kind] = ["", ""], ...list] = properties(text, "type");
  if (kind === "none") return;
  const own = new Map(list.filter(([key]) => ["id", "model", "mac"].includes(key)));
  const id = own.get("id") ?? `nic${draft.cards.length}`;
  const driver = driverNamed(own.get("model") ?? "virtio-net-pci", "-nic model=");
  if (!driver.startsWith("virtio-net")) throw new UsageError(`-nic: model=${driver} is no network card`);
  addNetwork(draft, backend("-nic", kind, id, list.filter(([key]) => !own.has(key))));
  draft.cards.push({ ...plainDevice(driver), netdev: id, mac: own.get("mac")?.toLowerCase() });
}
