/** Events and ends of worlds as lines for people, and as JSON. */
import type { WorldDescription } from "../../world/description.ts";
import type { WorldEvent, WorldInput } from "../../world/events.ts";
import type { WorldEnd } from "../../world/payloads.ts";
import { inputText } from "../script.ts";
import { bytesText, type Palette, secondsText } from "../text.ts";

function givenText(input: WorldInput): string {
  if (input.kind === "power") return `power ${input.isOn ? "on" : "off"}`;
  return input.kind === "command" ? `command ${JSON.stringify(input.command)}` : inputText(input.input);
}

function messageText(
  { links }: WorldDescription,
  { link, end, sequence }: { readonly link: number; readonly end: number; readonly sequence: number },
): string {
  const { name, ends } = links[link]!, from = ends[end]!;
  return `${name} #${sequence} from ${from.node}`;
}

function detailText(event: WorldEvent, world: WorldDescription): string {
  switch (event.kind) {
    case "inputGiven":
      return givenText(event.input);
    case "inputRefused":
      return event.reason;
    case "messageSent":
      return `${messageText(world, event)}  ${bytesText(event.size)}  ${event.digest.toHex().slice(0, 16)}`;
    case "messageDelivered":
      return messageText(world, event);
    case "messageLost":
      return `${messageText(world, event)}  ${event.reason}`;
    case "nodePoweredOn":
      return `life ${event.life}, by ${event.cause}`;
    case "nodePoweredOff":
      return `life ${event.life}, by ${event.cause}, exit code ${event.exitCode}`;
    case "nodeTold":
      return `${event.what}  ${event.detail}`.trimEnd();
  }
}

/** An event as a line. */
export function worldEventText(event: WorldEvent, world: WorldDescription, palette: Palette): string {
  const width = Math.max(...world.nodes.map(({ name }) => name.length));
  const node = world.nodes[event.node]!.name.padEnd(width), time = secondsText(event.time).padStart(14);
  return `${palette.dim(time)}  ${node}  ${palette.cyan(event.kind.padEnd(16))}  ${detailText(event, world)}`;
}

/** An event for JSON, nodes and links by name. */
export function worldEventJson(event: WorldEvent, world: WorldDescription): Record<string, unknown> {
  const { kind, time, node, ...rest } = event;
  const fields = Object.entries(rest).map(([name, value]) => {
    if (name === "link") return [name, world.links[value as number]!.name];
    return [name, value instanceof Uint8Array ? value.toHex() : value];
  });
  const link = "link" in event ? world.links[event.link] : undefined;
  const from = "end" in event ? { from: link?.ends[event.end]?.node } : {};
  return { time, node: world.nodes[node]!.name, kind, ...Object.fromEntries(fields), ...from };
}

/** JSON in a line; machines' inputs have bytes and 64-bit values, which become hexadecimal texts. */
export function jsonLine(value: unknown): string {
  const plain = (_key: string, item: unknown): unknown => {
    if (typeof item === "bigint") return `0x${item.toString(16)}`;
    return item instanceof Uint8Array ? item.toHex() : item;
  };
  return `${JSON.stringify(value, plain)}\n`;
}

/** An end for JSON. */
export function worldEndJson(
  { members, stateRoot, historyRoot, ...end }: WorldEnd,
  world: WorldDescription,
): object {
  return {
    ...end,
    stateRoot: stateRoot.toHex(),
    historyRoot: historyRoot.toHex(),
    nodes: members.map(({ lives, isOn, stateRoot }, node) => ({
      ...{ name: world.nodes[node]!.name, lives, isOn, stateRoot: stateRoot.toHex() },
    })),
  };
}
