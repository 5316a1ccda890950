/** Names of devices: four characters from a node's name, renamed in the order of the tree where two would be the same. */
import type { Report } from "./report.ts";
import type { TreeNode } from "./tree.ts";

/** Characters of a name. */
const LENGTH = 4;

/** A name of AML from a node's: its letters and digits, capital, the first four; a letter comes first. */
export function segmentOf(text: string): string {
  const plain = text.toUpperCase().replaceAll(/[^A-Z0-9]/g, "");
  return (/^[A-Z]/.test(plain) ? plain : `D${plain}`).slice(0, LENGTH);
}

/** Names that are taken: one for all scopes, so that every device can be found by its last name alone from below. */
export class Names {
  readonly #taken = new Set<string>();

  /** Gives a node a name: the wanted one or, when it is taken, one with a hexadecimal number at its end. */
  take(wanted: string, node: TreeNode, report: Report): string {
    const name = this.#free(wanted, node);
    this.#taken.add(name.padEnd(LENGTH, "_"));
    if (name !== wanted) report.renamings.push({ path: node.path, wanted, name });
    return name;
  }

  #free(wanted: string, node: TreeNode): string {
    if (!this.#taken.has(wanted.padEnd(LENGTH, "_"))) return wanted;
    for (let digits = 1, count = 16; digits < LENGTH; digits++, count *= 16) {
      for (let number = 0; number < count; number++) {
        const suffix = number.toString(16).toUpperCase().padStart(digits, "0");
        const name = wanted.slice(0, LENGTH - digits) + suffix;
        if (!this.#taken.has(name.padEnd(LENGTH, "_"))) return name;
      }
    }
    return node.refuse(`there is no name left for it beside ${this.#taken.size} others`);
  }
}

/**
 * The shortest NameString of a device, seen from a scope, as `iasl` finds it: its last name alone where a search upward
 * meets it, else a path with carets where that is shorter than from the root.
 */
export function shortestName(from: string, device: string): string {
  const scope = from.slice(1).split("."), target = device.slice(1).split(".");
  const common = target.findIndex((segment, index) => segment !== scope[index]);
  const shared = common < 0 ? target.length : common;
  if (shared >= target.length - 1) return target.at(-1) as string;
  const short = "^".repeat(scope.length - shared) + target.slice(shared).join(".");
  return encodedLength(short) < encodedLength(device) ? short : device;
}

/** Bytes of a NameString. */
function encodedLength(text: string): number {
  const path = text.replace(/^[\\^]+/, ""), { length } = path.split(".");
  return text.length - path.length + LENGTH * length + Math.min(length - 1, 2);
}

/** A name of a stem and a number: decimal with as many digits as there is room for, hexadecimal where that is too few. */
export function numbered(stem: string, number: number): string {
  const room = LENGTH - stem.length, decimal = number.toString().padStart(room, "0");
  return decimal.length <= room
    ? stem + decimal
    : (stem + number.toString(16).toUpperCase()).slice(0, LENGTH);
}
