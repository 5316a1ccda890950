/** Rule `imports-downward`: which part of the project may import which. */
import type { Node } from "./scope.ts";
import { repositoryPath, resolveSpecifier } from "./path.ts";

/** Everything in machine/ below the machine itself. */
const PARTS = [
  "utilities",
  "float",
  "wasm",
  "ir",
  "a64",
  "memory",
  "cpu",
  "engine",
  "storage",
  "network",
  "devices",
];
const PRODUCT = [...PARTS, "machine", "journal", "world", "hypervisor", "firmware", "cli", "std"];

/**
 * The layers, lowest first: a file belongs to the first whose pattern it matches, and may import from its own layer,
 * from those in `imports`, and types alone from those in `types`.
 */
// deno-fmt-ignore
const LAYERS: { name: string; files: RegExp; imports: readonly string[]; types?: readonly string[] }[] = [
  { name: "std",        files: /^std\//,                       imports: [] },
  { name: "utilities",  files: /^machine\/(address|access_log|byte_buffers|clock|errors|event_kind|events|layout|monitor_events|sha256|snapshot|watch)\.ts$/, imports: [] },
  { name: "float",      files: /^machine\/float\//,            imports: [] },
  { name: "wasm",       files: /^machine\/wasm\//,             imports: [] },
  { name: "ir",         files: /^machine\/ir\//,               imports: ["utilities", "float", "wasm"] },
  { name: "a64",        files: /^machine\/a64\//,              imports: ["utilities", "ir"] },
  { name: "memory",     files: /^machine\/memory\//,           imports: ["utilities"] },
  { name: "cpu",        files: /^machine\/cpu\//,              imports: ["utilities", "ir", "a64", "memory"] },
  { name: "engine",     files: /^machine\/engine\//,           imports: ["utilities", "wasm", "ir", "a64", "memory", "cpu"] },
  { name: "storage",    files: /^machine\/storage\//,          imports: ["utilities"] },
  { name: "network",    files: /^machine\/network\//,          imports: ["utilities", "storage"] },
  { name: "devices",    files: /^machine\/devices\//,          imports: ["utilities", "memory", "storage", "network"], types: ["cpu"] },
  { name: "machine",    files: /^machine\/[a-z0-9_]+\.ts$/,    imports: PARTS }, // what composes the parts
  { name: "firmware",   files: /^firmware\//,                  imports: [...PARTS, "machine"] },
  { name: "hypervisor", files: /^hypervisor\//,                imports: [...PARTS, "machine"] },
  { name: "journal",    files: /^journal\//,                   imports: [...PARTS, "machine", "std"] },
  { name: "world",      files: /^world\//,                     imports: [...PARTS, "machine", "journal", "std"] },
  { name: "cli",        files: /^cli\//,                       imports: PRODUCT },
  { name: "mod",        files: /^mod\.ts$/,                    imports: PRODUCT },
  { name: "bench",      files: /^bench\//,                     imports: [...PRODUCT, "mod", "tests"] },
  { name: "tests",      files: /^tests\//,                     imports: [...PRODUCT, "mod", "bench"] },
];

/** What tests may import besides: the client of the Debug Adapter Protocol that others test adapters with. */
const TEST_PACKAGES = /^@vscode\/debugadapter-testsupport$/;

/** What may be imported by name; `msgpackr` has an entry that needs no `eval`, so only that one. */
const PACKAGES = /^(zod|cel|msgpackr\/index-no-eval|node:[a-z0-9_/]+|@std\/(assert|cli|streams))$/;

/** The rule. */
export const importsDownward: Deno.lint.Rule = {
  create(context) {
    const path = repositoryPath(context.filename);
    const layer = layerOf(path);
    const check = (node: Node, specifier: string, isType: boolean): void => {
      const message = layer ? refusal(path, layer, specifier, isType) : undefined;
      if (message) {
        context.report({ node, message, hint: "the layers are in tests/lint/imports_downward.ts" });
      }
    };
    return {
      Program(node) {
        if (layer || path.startsWith("/")) return;
        context.report({
          node,
          message: `${path} belongs to no layer`,
          hint: "add it to tests/lint/imports_downward.ts",
        });
      },
      ImportDeclaration: (node) => check(node, node.source.value, isTypeImport(node)),
      ExportAllDeclaration: (node) => check(node, node.source.value, node.exportKind === "type"),
      ExportNamedDeclaration: (node) =>
        void (node.source && check(node, node.source.value, node.exportKind === "type")),
      ImportExpression(node) {
        if (node.source.type === "Literal" && typeof node.source.value === "string") {
          check(node, node.source.value, false);
        }
      },
      TSImportType(node) {
        const { argument } = node;
        if (argument.type !== "TSLiteralType" || argument.literal.type !== "Literal") return;
        check(node, String(argument.literal.value), true);
      },
    };
  },
};

type Layer = (typeof LAYERS)[number];

function layerOf(path: string): Layer | undefined {
  return LAYERS.find(({ files }) => files.test(path));
}

/** Why the import is not allowed, or undefined. */
function refusal(path: string, layer: Layer, specifier: string, isType: boolean): string | undefined {
  const isRelative = /^\.{0,2}\//.test(specifier);
  const isKnown = PACKAGES.test(specifier) || path.startsWith("tests/") && TEST_PACKAGES.test(specifier);
  if (!isRelative && !isKnown) return `"${specifier}" is none of the project's packages`;
  if (!isRelative && !specifier.startsWith("@std/")) return undefined;
  const target = isRelative ? resolveSpecifier(path, specifier) : `std/${specifier.slice("@std/".length)}.ts`;
  const imported = layerOf(target);
  if (!imported) return `${target} belongs to no layer`;
  if (imported === layer || layer.imports.includes(imported.name)) return undefined;
  const asType = layer.types?.includes(imported.name) ?? false;
  if (asType && isType) return undefined;
  return `${layer.name} may not import ${asType ? "more than types " : ""}from ${imported.name} (${target})`;
}

/** Whether the statement leaves nothing to import at run time. */
function isTypeImport(node: Deno.lint.ImportDeclaration): boolean {
  const { importKind, specifiers } = node;
  return importKind === "type" || specifiers.length > 0 &&
      specifiers.every((specifier) =>
        specifier.type === "ImportSpecifier" && specifier.importKind === "type"
      );
}
