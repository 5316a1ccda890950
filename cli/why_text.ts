/** A backward slice as a tree for people, as JSON, and as a graph for Graphviz. */
import { disassemble } from "../machine/a64/assembly.ts";
import { hex } from "../machine/address.ts";
import type { SliceNode, SliceSource } from "../journal/slice_graph.ts";
import type { Why } from "../journal/why.ts";
import { eventJson, whatText } from "./event_text.ts";
import type { SymbolTable } from "./symbols.ts";
import { counted, grouped, type Palette } from "./text.ts";

/** What nodes that are neither steps nor events are called. */
const NAMES: Readonly<Partial<Record<SliceNode["kind"], string>>> = {
  reset: "after reset",
  image: "boot image",
  zero: "zero",
  machine: "the machine",
  older: "older",
  dma: "DMA",
  input: "input",
};

/** Why a node's sources are not shown. */
const CUTS = {
  depth: "deeper than --depth",
  width: "more sources than --width",
  count: "more steps than --steps",
} as const;

/** What happened at a node, in a line. */
export function nodeText(node: SliceNode, palette: Palette, symbols: SymbolTable): string {
  const { step, event, text, kind, cpu } = node;
  const when = `${grouped(node.instant)}${cpu < 0 ? "" : `  cpu${cpu}`}`;
  if (step !== undefined) {
    const instruction = symbols.annotate(disassemble(step.opcode, step.pc));
    const isConstant = node.sources.length === 0 && node.cut === undefined;
    return `${when}  EL${step.level}  ${hex(step.pc)}${symbols.label(step.pc)}  ${palette.cyan(instruction)}${
      isConstant ? palette.dim("  (constant)") : ""
    }`;
  }
  const what = event === undefined ? "" : `  ${whatText(event, palette, symbols)}`;
  const name = event === undefined || kind === "dma" || kind === "input"
    ? palette.yellow(NAMES[kind] ?? kind)
    : "";
  const more = text === undefined ? "" : kind === "dma" ? `  from ${text}` : `  ${text}`;
  return [when, name === "" ? "" : `  ${name}`, event === undefined ? more : `${what}${more}`].join("");
}

function sourceText({ what, role, value }: SliceSource): string {
  const of = role === "value" ? "" : role === "address" ? "address " : "after ";
  return `${of}${what}${value === undefined ? "" : ` = ${hex(value)}`}`;
}

/** The tree: a node that has one source goes on in the same column, one that was there already is only named. */
export function treeLines(root: SliceNode, palette: Palette, symbols: SymbolTable): string[] {
  const lines: string[] = [], shown = new Set<SliceNode>();
  // Chains are thousands of links long: no recursion.
  const waiting: { source: SliceSource; indent: number }[] = [];
  const push = (node: SliceNode, indent: number): void => {
    const inner = node.sources.length > 1 ? indent + 1 : indent;
    for (const source of node.sources.toReversed()) waiting.push({ source, indent: inner });
  };
  push(root, 0);
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { source, indent } = next, { node } = source;
    const head = `${"  ".repeat(indent)}${palette.bold(sourceText(source))}  ←  `;
    if (shown.has(node)) {
      lines.push(`${head}${palette.dim(`#${node.id}, above`)}`);
      continue;
    }
    shown.add(node);
    const cut = node.cut === undefined ? "" : palette.dim(`  … ${CUTS[node.cut]}`);
    lines.push(`${head}${palette.dim(`#${node.id}`)} ${nodeText(node, palette, symbols)}${cut}`);
    push(node, indent);
  }
  if (root.cut !== undefined) lines.push(palette.dim(`… ${CUTS[root.cut]}`));
  return lines;
}

/** What a slice took, in a line. */
export function effortText({ nodes, effort }: Why): string {
  const links = nodes.reduce(
    (deepest, { depth }) => Number.isFinite(depth) ? Math.max(deepest, depth) : deepest,
    0,
  );
  return `${counted(nodes.length - 1, "node")}, ${counted(links, "link")} deep; looked at ${
    counted(effort.steps, "step")
  } in ${counted(effort.windows, "window")}, ${
    effort.searches === 1 ? "1 search" : `${grouped(effort.searches)} searches`
  } for writers, back to instant ${grouped(effort.from)}`;
}

/** A node as JSON. */
export function nodeValue(node: SliceNode, symbols: SymbolTable): unknown {
  const { id, kind, instant, cpu, depth, step, event, text, sources, cut } = node;
  const symbol = step === undefined ? undefined : symbols.nameOf(step.pc);
  return {
    id,
    kind,
    instant,
    ...cpu < 0 ? {} : { cpu },
    depth: Number.isFinite(depth) ? depth : undefined,
    ...step === undefined ? {} : {
      pc: hex(step.pc),
      level: step.level,
      opcode: step.opcode,
      instruction: disassemble(step.opcode, step.pc),
      ...symbol === undefined ? {} : { symbol },
    },
    ...event === undefined ? {} : { event: JSON.parse(eventJson(event, symbols)) },
    ...text === undefined ? {} : { text },
    ...cut === undefined ? {} : { cut },
    sources: sources.map(({ what, role, value, node }) => ({
      what,
      role,
      ...value === undefined ? {} : { value: hex(value) },
      node: node.id,
    })),
  };
}

/** A text between quotation marks, as Graphviz reads it. */
function quoted(text: string): string {
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}

const SHAPES: Readonly<Partial<Record<SliceNode["kind"], string>>> = { step: "box", target: "doubleoctagon" };
const STYLES = { value: "solid", address: "dashed", control: "dotted" } as const;

/** The graph in Graphviz's language: an arrow from each value to what was made from it. */
export function graphText(
  { nodes, root }: Why,
  title: string,
  palette: Palette,
  symbols: SymbolTable,
): string {
  const lines = ["digraph why {", "  rankdir=BT;", '  node [fontname="monospace"];'];
  for (const node of nodes) {
    const label = node === root ? title : nodeText(node, palette, symbols);
    lines.push(`  n${node.id} [shape=${SHAPES[node.kind] ?? "ellipse"}, label=${quoted(label)}];`);
  }
  for (const { id, sources } of nodes) {
    for (const { what, role, value, node } of sources) {
      const label = quoted(`${what}${value === undefined ? "" : ` = ${hex(value)}`}`);
      lines.push(`  n${node.id} -> n${id} [style=${STYLES[role]}, label=${label}];`);
    }
  }
  return [...lines, "}", ""].join("\n");
}
