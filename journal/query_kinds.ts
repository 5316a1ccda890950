/** Which events an expression can be true for: its value as far as the kind of an event decides it. */
import type { ASTNode } from "cel";
import { classOf, EVENT_KIND_NAMES, type EventKind } from "../machine/events.ts";
import { QUERY_VARIABLES } from "./query_schema.ts";

/** What a part of an expression can come to for events of a kind, as a set; a value that is known is there as well. */
interface Outcomes {
  readonly set: number;
  readonly value?: unknown;
}

const TRUE = 1, FALSE = 2, OTHER = 4, ERROR = 8;

const ANY: Outcomes = { set: TRUE | FALSE | OTHER };
const NEVER: Outcomes = { set: ERROR };

/** Functions that only steps have. */
export const STEP_FUNCTIONS: ReadonlySet<string> = new Set(["sets", "result", "reads", "writes"]);

function literal(value: unknown): Outcomes {
  return { set: value === true ? TRUE : value === false ? FALSE : OTHER, value };
}

function has(outcomes: Outcomes, set: number): boolean {
  return (outcomes.set & set) !== 0;
}

/** `&&` with decisive FALSE, `||` with decisive TRUE: the decisive outcome of either side absorbs an error of the other. */
function logical(left: Outcomes, right: Outcomes, decisive: number, neutral: number): Outcomes {
  const decided = has(left, decisive) || has(right, decisive) ? decisive : 0;
  const undecided = has(left, neutral) && has(right, neutral) ? neutral : 0;
  const failing = (has(left, ERROR | OTHER) && has(right, neutral | ERROR | OTHER)) ||
    (has(right, ERROR | OTHER) && has(left, neutral | ERROR | OTHER));
  return { set: decided | undecided | (failing ? ERROR : 0) };
}

function variable(name: string, kind: EventKind): Outcomes {
  if (name === "kind") return literal(kind);
  if (name === "eventClass") return literal(classOf(kind));
  const known = QUERY_VARIABLES.get(name);
  return known === undefined || known.kinds.has(kind) ? ANY : NEVER;
}

/** Something strict in its parts: an error of one is its own. */
function strict(parts: readonly Outcomes[], whole: () => Outcomes): Outcomes {
  if (parts.some(({ set }) => set === ERROR)) return NEVER;
  const failing = parts.some((part) => has(part, ERROR)) ? ERROR : 0;
  const { set, ...value } = whole();
  return { set: set | failing, ...failing === 0 ? value : {} };
}

function comparison(op: string, left: Outcomes, right: Outcomes): Outcomes {
  if (!("value" in left) || !("value" in right)) return { set: TRUE | FALSE };
  const among = op === "in" ? right.value as unknown[] : [right.value];
  return literal(among.includes(left.value) !== (op === "!="));
}

function outcomes(node: ASTNode, kind: EventKind): Outcomes {
  const of = (part: ASTNode): Outcomes => outcomes(part, kind);
  switch (node.op) {
    case "value":
      return literal(node.args);
    case "id":
      return variable(node.args, kind);
    case "&&":
      return logical(of(node.args[0]), of(node.args[1]), FALSE, TRUE);
    case "||":
      return logical(of(node.args[0]), of(node.args[1]), TRUE, FALSE);
    case "!_": {
      const { set } = of(node.args);
      return { set: set & (OTHER | ERROR) | (set & TRUE ? FALSE : 0) | (set & FALSE ? TRUE : 0) };
    }
    case "?:": {
      const [condition, whenTrue, whenFalse] = node.args.map(of) as [Outcomes, Outcomes, Outcomes];
      return {
        set: (has(condition, TRUE) ? whenTrue.set : 0) | (has(condition, FALSE) ? whenFalse.set : 0) |
          (condition.set & ERROR),
      };
    }
    case "==":
    case "!=":
    case "in": {
      const [left, right] = node.args.map(of) as [Outcomes, Outcomes];
      return strict([left, right], () => comparison(node.op, left, right));
    }
    case "list": {
      const items = node.args.map(of);
      const isKnown = items.every((item) => "value" in item);
      return strict(items, () => isKnown ? literal(items.map(({ value }) => value)) : ANY);
    }
    case "<":
    case "<=":
    case ">":
    case ">=":
    case "+":
    case "-":
    case "*":
    case "/":
    case "%":
    case "[]":
      return strict(node.args.map(of), () => ANY);
    case "-_":
      return strict([of(node.args)], () => ANY);
    case ".":
      return strict([of(node.args[0])], () => ANY);
    case "rcall":
      return strict([of(node.args[1])], () => ANY);
    case "call":
      if (STEP_FUNCTIONS.has(node.args[0]) && kind !== "stepRetired") return NEVER;
      return strict(node.args[1].map(of), () => ANY);
    default:
      return { set: TRUE | FALSE | OTHER | ERROR };
  }
}

/** The kinds of event for which an expression can be true. */
export function possibleKinds(ast: ASTNode): readonly EventKind[] {
  return EVENT_KIND_NAMES.filter((kind) => has(outcomes(ast, kind), TRUE));
}

/** Instants from ≤ i < to. */
export interface InstantBounds {
  readonly from: number;
  readonly to: number;
}

function number(value: unknown): number {
  const found = Number(value);
  return Number.isSafeInteger(found) ? found : found > 0 ? Infinity : 0;
}

/** The interval that `instant OP N` leaves. */
// deno-fmt-ignore
const BOUNDS: Readonly<Record<string, (n: number) => InstantBounds>> = {
  "==": (n) => ({ from: n,     to: n + 1 }),
  "<":  (n) => ({ from: 0,     to: n }),
  "<=": (n) => ({ from: 0,     to: n + 1 }),
  ">":  (n) => ({ from: n + 1, to: Infinity }),
  ">=": (n) => ({ from: n,     to: Infinity }),
};

const MIRRORED: Readonly<Record<string, string>> = { "==": "==", "<": ">", "<=": ">=", ">": "<", ">=": "<=" };

/** The interval outside which an expression is not true, as far as its comparisons with numbers say. */
export function instantBounds(node: ASTNode): InstantBounds {
  if (node.op === "&&") {
    const [left, right] = [instantBounds(node.args[0]), instantBounds(node.args[1])];
    return { from: Math.max(left.from, right.from), to: Math.min(left.to, right.to) };
  }
  if (node.op === "==" || node.op === "<" || node.op === "<=" || node.op === ">" || node.op === ">=") {
    const [left, right] = node.args;
    const isInstant = (part: ASTNode): boolean => part.op === "id" && part.args === "instant";
    const value = (part: ASTNode): number | undefined => part.op === "value" ? number(part.args) : undefined;
    const onRight = isInstant(left) ? value(right) : undefined;
    if (onRight !== undefined) return BOUNDS[node.op]!(onRight);
    const onLeft = isInstant(right) ? value(left) : undefined;
    if (onLeft !== undefined) return BOUNDS[MIRRORED[node.op]!]!(onLeft);
  }
  return { from: 0, to: Infinity };
}
