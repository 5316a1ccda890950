/** The bridges that a machine's networks ask for; their code, and Deno's of sockets, is read when there are any. */
import type { NetworkRequest } from "../machine_request.ts";
import type { UdpBridges } from "./udp_bridge.ts";

/** As `UdpBridges.open`. */
export async function openBridges(networks: readonly NetworkRequest[]): Promise<UdpBridges | undefined> {
  if (!networks.some(({ kind }) => kind === "bridge")) return undefined;
  const { UdpBridges } = await import("./udp_bridge.ts");
  return await UdpBridges.open(networks);
}
