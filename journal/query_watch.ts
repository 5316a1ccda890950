/** Which steps an expression can be true for, where it says so by addresses: those that watch points find quickly. */
import type { ASTNode } from "cel";
import type { WatchPoint } from "../machine/watch.ts";

/** The value of a part of an expression that is the same for all events; undefined where it is not. */
export type Constant = (node: ASTNode) => unknown;

/** More addresses than this are not watched. */
const MOST_WATCHES = 64;

function executes(values: readonly unknown[]): readonly WatchPoint[] | undefined {
  if (values.length === 0 || values.length > MOST_WATCHES) return undefined;
  if (
    !values.every((value): value is bigint => typeof value === "bigint" && value >= 0n && value < 1n << 64n)
  ) {
    return undefined;
  }
  return values.map((address) => ({ kind: "execute", address }));
}

const isPc = (node: ASTNode): boolean => node.op === "id" && node.args === "pc";

/** Points of `pc == A`, `pc in [A, B]`, `reads(A, N)` and `writes(A, N)`. */
function pointsOf(node: ASTNode, constant: Constant): readonly WatchPoint[] | undefined {
  if (node.op === "==") {
    const [left, right] = node.args;
    if (isPc(left)) return executes([constant(right)]);
    return isPc(right) ? executes([constant(left)]) : undefined;
  }
  if (node.op === "in" && isPc(node.args[0]) && node.args[1].op === "list") {
    return executes(node.args[1].args.map(constant));
  }
  if (node.op !== "call" || (node.args[0] !== "reads" && node.args[0] !== "writes")) return undefined;
  const [name, [address, size]] = node.args as [string, [ASTNode, ASTNode]];
  const at = constant(address), count = constant(size);
  if (typeof at !== "bigint" || typeof count !== "bigint" || at < 0n || count < 1n || count > 1n << 20n) {
    return undefined;
  }
  if (at + count > 1n << 64n) return undefined;
  return [{ kind: name === "reads" ? "read" : "write", space: "virtual", address: at, size: Number(count) }];
}

/**
 * Watch points one of which every step hits for which the expression is true; undefined where it does not say. Of a
 * conjunction one side is enough, of a disjunction both have to say.
 */
export function watchesOf(node: ASTNode, constant: Constant): readonly WatchPoint[] | undefined {
  if (node.op === "&&") return watchesOf(node.args[0], constant) ?? watchesOf(node.args[1], constant);
  if (node.op !== "||") return pointsOf(node, constant);
  const left = watchesOf(node.args[0], constant), right = watchesOf(node.args[1], constant);
  if (left === undefined || right === undefined || left.length + right.length > MOST_WATCHES) {
    return undefined;
  }
  return [...left, ...right];
}
