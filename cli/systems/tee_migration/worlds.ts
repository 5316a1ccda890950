/** Worlds of two hosts, in which a realm can move from one machine to another. */
import "../../../hypervisor/install.ts";
import { createHash } from "node:crypto";
import { realmProgram } from "../../../firmware/tee_migration/realm.ts";
import type { MachineImages } from "../../../machine/compose.ts";
import { parseWorld, type WorldDescription } from "../../../world/description.ts";

const bytes = realmProgram();
const kernel = {
  sha256: createHash("sha256").update(bytes).digest("hex"),
  size: bytes.length,
  name: "realm",
};

/** The realm. */
export const REALM_IMAGES: MachineImages = new Map([[kernel.sha256, bytes]]);

/** Two hosts; the realm is at the first. */
export function hosts(
  { cluster = ["our cluster's key", "our cluster's key"], features = "" }: {
    readonly cluster?: readonly [string, string];
    readonly features?: string;
  } = {},
  links: readonly unknown[] = [{
    ...{ name: "wire", kind: "message", latency: 100_000 },
    ends: [{ node: "east", port: "mig" }, { node: "west", port: "mig" }],
  }],
  more: readonly unknown[] = [],
): WorldDescription {
  const host = (name: string, role: string, secret: string, seed: number) => {
    const options = { role, cluster: secret, timeout: "5", ...features === "" ? {} : { features } };
    const monitors = [{ level: 2, systems: [{ name: "tee-migration", options }] }];
    return { kind: "machine", name, configuration: { memoryMiB: 16, seed, monitors, boot: { kernel } } };
  };
  return parseWorld({
    nodes: [host("east", "source", cluster[0], 1), host("west", "destination", cluster[1], 2), ...more],
    links,
    rootInterval: 1_000_000,
  });
}
