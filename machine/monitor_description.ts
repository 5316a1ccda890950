/** What monitors add to the device tree of their guests, by whoever provides the monitors. */
import type { Board } from "./board.ts";
import type { MonitorConfiguration } from "./configuration.ts";
import type { DeviceTreeNode } from "./device_tree.ts";

/** Adds to a guest's device tree what one of its monitors has for it. */
export type MonitorDescription = (
  configuration: MonitorConfiguration,
  board: Board,
  root: DeviceTreeNode,
) => void;

let provided: MonitorDescription | undefined;

/** Says who describes monitors, once, before the first machine with one is built. */
export function provideDescriptions(description: MonitorDescription): void {
  provided = description;
}

/** Adds to the device tree of a machine's guest what its monitors have for it. */
export function describeByMonitors(board: Board, root: DeviceTreeNode): void {
  for (const monitor of board.configuration.monitors ?? []) provided?.(monitor, board, root);
}
