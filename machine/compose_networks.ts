/** The networks of a machine, by the ids under which cards are plugged into them: each by exactly one. */
import { type BootImages, imageName } from "./boot_images.ts";
import type { PeripheralPart, PeripheralServices } from "./compose_peripherals.ts";
import { ConfigurationError } from "./errors.ts";
import { NetworkBridge } from "./network/bridge.ts";
import type { Network } from "./network/network.ts";
import { UserNetwork } from "./network/peer/user_network.ts";
import type { ImageReference, NetworkConfiguration } from "./peripheral_configuration.ts";
import type { DiskImage } from "./storage/block.ts";

type OfKind<K extends NetworkConfiguration["kind"]> = Extract<NetworkConfiguration, { kind: K }>;

/** Builds a network of each kind. */
const BUILDERS: {
  readonly [K in NetworkConfiguration["kind"]]: (
    network: OfKind<K>,
    services: PeripheralServices,
    images: BootImages,
  ) => Network;
} = {
  bridge: ({ id }, { events }) => new NetworkBridge({ name: id, events }),
  user: ({ id, files, bootFile }, { clock, events }, images) => {
    const served = files.map(({ path, image }) => ({ path, contents: servedContents(path, image, images) }));
    return new UserNetwork({ name: id, files: served, bootFile, clock, events });
  },
};

/** The contents of a file that is served; one without bytes is a file, too. */
function servedContents(path: string, reference: ImageReference, images: BootImages): Uint8Array | DiskImage {
  const what = imageName(`file "${path}"`, reference);
  const contents = images.get(reference.sha256);
  if (contents === undefined) throw new ConfigurationError(`Cannot serve ${what}: the file is missing`);
  const size = contents instanceof Uint8Array ? contents.length : contents.size;
  if (size !== reference.size) {
    throw new ConfigurationError(`Cannot serve ${what}: it has ${size} bytes, not ${reference.size}`);
  }
  return contents;
}

/** What `-netdev` options made. */
export class Networks {
  readonly #networks: ReadonlyMap<string, Network>;
  readonly #takers = new Map<string, string>();

  /** Builds each network; throws ConfigurationError for one that cannot be. */
  constructor(
    networks: readonly NetworkConfiguration[],
    services: PeripheralServices,
    images: BootImages,
  ) {
    const build = <K extends NetworkConfiguration["kind"]>(network: OfKind<K>): Network =>
      BUILDERS[network.kind as K](network, services, images);
    this.#networks = new Map(networks.map((network) => [network.id, build(network)]));
  }

  /**
   * The network that a card names with `netdev=`; `device` is its name in messages. Throws ConfigurationError when it
   * names none, one that there is not, or one that has a card.
   */
  take(id: string | undefined, device: string): Network {
    const there = [...this.#networks.keys()].join(", ") || "none";
    if (id === undefined) {
      throw new ConfigurationError(`${device} needs a network: give it netdev=ID; the networks are ${there}`);
    }
    const network = this.#networks.get(id);
    if (network === undefined) {
      throw new ConfigurationError(`${device}: there is no network "${id}"; the networks are ${there}`);
    }
    const taker = this.#takers.get(id);
    if (taker !== undefined) {
      throw new ConfigurationError(`${device} cannot have network "${id}": ${taker} has it`);
    }
    this.#takers.set(id, device);
    return network;
  }

  /** Throws ConfigurationError when a network has no card. */
  refuseUntaken(): void {
    for (const id of this.#networks.keys()) {
      if (this.#takers.has(id)) continue;
      throw new ConfigurationError(
        `Network "${id}" has no card: add -device virtio-net-pci,netdev=${id} or -device virtio-net-device,netdev=${id}`,
      );
    }
  }

  /** Those whose frames come from outside, by name. */
  get bridges(): ReadonlyMap<string, NetworkBridge> {
    const bridges = [...this.#networks].filter((entry): entry is [string, NetworkBridge] =>
      entry[1] instanceof NetworkBridge
    );
    return new Map(bridges);
  }

  /** Their states, in the order given; a card may have the id of its network, so their sections say what they are. */
  get parts(): readonly PeripheralPart[] {
    return [...this.#networks.values()].map((network) => ({
      name: `network ${network.name}`,
      reset: () => network.reset(),
      save: () => ({ ...network.save(), name: `network ${network.name}` }),
      restore: (section) => network.restore(section),
    }));
  }
}
