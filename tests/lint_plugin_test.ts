/** Each lint rule reports what it forbids and stays silent on what only looks like it. */
import { assertEquals } from "@std/assert";
import plugin from "./lint_plugin.ts";

/** What one rule reports on a file: the source text of each finding. */
function findings(rule: string, path: string, source: string): string[] {
  return Deno.lint.runPlugin(plugin, path, source)
    .filter(({ id }) => id === `hindsight/${rule}`)
    .map(({ range }) => source.slice(...range));
}

/** Registers a test per row; a row without a finding must be silent. */
function check(rule: string, path: string, rows: [source: string, ...found: string[]][]): void {
  for (const [source, ...found] of rows) {
    const criterion = found.length === 0 ? "accepts" : "refuses";
    Deno.test(`${rule} ${criterion} ${source}`, () => assertEquals(findings(rule, path, source), found));
  }
}

// deno-fmt-ignore
check("no-host", "machine/cpu/core.ts", [
  ["Date.now();", "Date"],
  ["new Date();", "Date"],
  ["performance.now();", "performance"],
  ["const f = (d: Date) => 0;", "Date"],
  ["const o = { Date };", "Date"],
  ["const o = { [Date.name]: 1 };", "Date"],
  ["{ const Date = 1; } Date.now();", "Date"],
  ["{ function fetch() {} } fetch();", "fetch"],
  ["Math.random();", "Math.random"],
  ["Math.sqrt(2);", "Math.sqrt"],
  ["Math['log'](2);", "Math['log']"],
  ["const { sin } = Math;", "Math"],
  ["Math[name](2);", "Math"],
  ["x ** 3;", "x ** 3"],
  ["10 ** x;", "10 ** x"],
  ["x **= 2;", "x **= 2"],
  ["setTimeout(f, 1);", "setTimeout"],
  ["setInterval(f, 1);", "setInterval"],
  ["setImmediate(f);", "setImmediate"],
  ["queueMicrotask(f);", "queueMicrotask"],
  ["Promise.resolve();", "Promise"],
  ["function f(): Promise<void> {}", "Promise"],
  ["async function f() {}", "async function f() {}"],
  ["f(async () => 1);", "async () => 1"],
  ["const o = { async m() {} };", "async m() {}"],
  ["await f();", "await f()"],
  ["for await (const x of y) f(x);", "for await (const x of y) f(x);"],
  ["import('./a.ts');", "import('./a.ts')"],
  ["import.meta.url;", "import.meta"],
  ["Deno.readFileSync('x');", "Deno"],
  ["crypto.getRandomValues(a);", "crypto"],
  ["fetch('x');", "fetch"],
  ["navigator.language;", "navigator"],
  ["new Intl.Collator();", "Intl"],
  ["n.toLocaleString();", "n.toLocaleString"],
  ["a.localeCompare(b);", "a.localeCompare"],
  ["new WeakRef(o);", "WeakRef"],
  ["new FinalizationRegistry(f);", "FinalizationRegistry"],
  ["error.stack;", "error.stack"],
  ["error?.['stack'];", "error?.['stack']"],
  ["process.hrtime();", "process"],
  ["globalThis.Date;", "globalThis"],
  ["eval('1');", "eval"],
  ["new Worker('x');", "Worker"],
  ["WebAssembly.compile(b);", "WebAssembly.compile"],
  ["WebAssembly.instantiate(b);", "WebAssembly.instantiate"],
  ["import 'node:fs';", "import 'node:fs';"],
  ["import { readFileSync } from 'node:fs';", "import { readFileSync } from 'node:fs';"],
  ["export * from 'node:os';", "export * from 'node:os';"],
  ["import { pack } from 'msgpackr/index-no-eval';", "import { pack } from 'msgpackr/index-no-eval';"],
  ["import { randomBytes } from 'node:crypto';", "import { randomBytes } from 'node:crypto';"],
  ["import { createHash as randomBytes, randomBytes as r } from 'node:crypto';", "import { createHash as randomBytes, randomBytes as r } from 'node:crypto';"],
  ["import * as c from 'node:crypto';", "import * as c from 'node:crypto';"],
  ["import crypto from 'node:crypto';", "import crypto from 'node:crypto';"],

  ["import { createCipheriv, createHash } from 'node:crypto';"],
  ["import { z } from 'zod';"],
  ["import { fetch } from './fetch.ts'; fetch(1);"],
  ["Math.min(Math.abs(a), Math.imul(b, 3), Math.clz32(c), Math.fround(d), Math.trunc(e));"],
  ["2 ** 53; 10n ** n; -(2 ** n);"],
  ["new WebAssembly.Instance(new WebAssembly.Module(b)); let m: WebAssembly.Memory;"],
  ["function fetch(address: number) {} fetch(1);"],
  ["fetch(1); function fetch(address: number) {}"],
  ["const f = (process: number) => process + 1;"],
  ["const f = ({ crypto, caches: [location] }: O) => crypto + location;"],
  ["class C { constructor(private readonly process: P) { process.run(); } }"],
  ["class C { fetch() {} Date = 1; } new C().fetch(); new C().Date;"],
  ["interface I { fetch(Date: number): void; readonly process: number }"],
  ["type F = (fetch: number) => void; type Date = 1; let d: Date;"],
  ["const o = { fetch: 1, process() {} }; o.fetch;"],
  ["for (const process of list) process.step();"],
  ["try { f(); } catch (process) { g(process); }"],
  ["let stack = 1; f({ stack });"],
]);

Deno.test("no-host covers machine, hypervisor and firmware and nothing else", () => {
  // deno-fmt-ignore
  const rows: [path: string, found: number][] = [
    ["machine/machine.ts", 1], ["hypervisor/trap.ts", 1], ["firmware/boot.ts", 1],
    ["journal/file.ts", 0], ["cli/host/clock.ts", 0], ["tests/machine/clock_test.ts", 0], ["bench/cpu_bench.ts", 0],
  ];
  const root = new URL("../", import.meta.url).pathname;
  for (const [path, found] of rows) {
    assertEquals(findings("no-host", path, "Date.now();").length, found, path);
    assertEquals(findings("no-host", root + path, "Date.now();").length, found, `absolute ${path}`);
  }
});

// deno-fmt-ignore
check("value-condition", "machine/a64/add_subtract.ts", [
  ["function f(v: Value) { return !v; }", "v"],
  ["function f(v: Value) { while (v) g(v); }", "v"],
  ["function f(v: Value) { do g(v); while (v); }", "v"],
  ["function f(v: Value) { for (; v;) g(v); }", "v"],
  ["function f(v: Value) { if (v) g(v); }", "v"],
  ["function f(v: Value) { return v ? g(v) : 0; }", "v"],
  ["function f(v: Value) { return v && g(v); }", "v"],
  ["function f(v: Value) { return v || g(v); }", "v"],
  ["function f(v: Value) { return v ?? g(v); }", "v"],
  ["function f(v: Value) { return Boolean(v); }", "v"],
  ["function f(v: Value | undefined) { return !v; }", "v"],
  ["function f(v?: Value) { return !v; }", "v"],
  ["function f(v: Value = w) { return !v; }", "v"],
  ["const f = ({ Rn }: O, ...v: Value[]) => !v[0];", "v[0]"],
  ["function f(v: unknown) { return !(v as Value); }", "v as Value"],
  ["function f(v: Value) { return !v!; }", "v!"],
  ["function f(ir: Builder) { const v = ir.add(1, 2); return !v; }", "v"],
  ["function f(ir) { const v = ir.add(1, 2); return !v; }", "v"],
  ["function f(b: Builder) { return !b.add(1, 2); }", "b.add(1, 2)"],
  ["function f(ir: Builder) { return !ir?.add(1, 2); }", "ir?.add(1, 2)"],
  ["function f(ir: Builder) { let v; v = ir.add(1, 2); return !v; }", "v"],
  ["function f(ir: Builder) { const v = ir.add(1, 2), w = v; return !w; }", "w"],
  ["function f(ir: Builder) { const v = o ? ir.add(1, 2) : ir.sub(1, 2); while (v); }", "v"],
  ["function f(ir: Builder) { const [sum, carry] = ir.addWithCarry(1, 2); return !carry; }", "carry"],
  ["function f(ir: Builder) { const vs = [ir.add(1, 2)]; return !vs[0]; }", "vs[0]"],
  ["function f(vs: readonly Value[]) { for (const v of vs) if (!v) g(); }", "v"],
  ["function f(vs: [left: Value, right: Value]) { const [v] = vs; return !v; }", "v"],
  ["function f(vs: ReadonlyArray<Value>) { return !vs[1]; }", "vs[1]"],
  ["function f(x: number): Value { return g(x); } if (!f(1)) g();", "f(1)"],
  ["const f = (x: number): Value => g(x); const v = f(1); if (!v) g();", "v"],
  ["let v: Value; function f() { return !v; }", "v"],
  ["class C { constructor(private v: Value) { if (!v) g(); } }", "v"],

  ["function f(v: number) { return !v; }"],
  ["function f(v: Value) { { const v = 1; if (!v) g(); } }"],
  ["function f(v: Value) { return (v: number) => !v; }"],
  ["function f(v: Value, ok: boolean) { return ok ? v : g(v); }"],
  ["function f(vs: Value[]) { return !vs; }"],
  ["function f(ir: Builder, sf: number) { const v = ir.add(1, 2); if (sf && !f) ir.write(v); }"],
  ["function f(ir: Builder, v: Value) { const width = ir.widthOf(v); return width ? 1 : 2; }"],
  ["function f(ir: Parser) { return !ir.next(); }"],
  ["let a, b; a = b; b = a; if (!a) g();"],
  ["const v: Value = g(); const n: number = v.size; while (n) g();"],
]);

Deno.test("value-condition leaves other folders alone", () => {
  assertEquals(findings("value-condition", "journal/file.ts", "function f(v: Value) { return !v; }"), []);
});

/** Every edge of the layers: whether a file may import the value, and the type, of another. */
// deno-fmt-ignore
const EDGES: [from: string, to: string, value: boolean, type: boolean][] = [
  ["machine/clock.ts",           "./errors.ts",               true,  true],
  ["machine/clock.ts",           "./machine.ts",              false, false],
  ["machine/ir/builder.ts",      "../errors.ts",              true,  true],
  ["machine/ir/builder.ts",      "./operations.ts",           true,  true],
  ["machine/ir/builder.ts",      "../a64/pattern.ts",         false, false],
  ["machine/ir/builder.ts",      "../memory/physical.ts",     false, false],
  ["machine/a64/branch.ts",      "../ir/builder.ts",          true,  true],
  ["machine/a64/branch.ts",      "../cpu/core.ts",            false, false],
  ["machine/a64/branch.ts",      "../engine/reference.ts",    false, false],
  ["machine/memory/tlb.ts",      "../address.ts",             true,  true],
  ["machine/memory/tlb.ts",      "../cpu/core.ts",            false, false],
  ["machine/memory/tlb.ts",      "../devices/device.ts",      false, false],
  ["machine/memory/tlb.ts",      "../engine/reference.ts",    false, false],
  ["machine/cpu/core.ts",        "../memory/tlb.ts",          true,  true],
  ["machine/cpu/core.ts",        "../a64/pattern.ts",         true,  true],
  ["machine/cpu/core.ts",        "../engine/reference.ts",    false, false],
  ["machine/cpu/core.ts",        "../devices/gic.ts",         false, false],
  ["machine/engine/threaded.ts", "../cpu/core.ts",            true,  true],
  ["machine/engine/threaded.ts", "../ir/builder.ts",          true,  true],
  ["machine/engine/threaded.ts", "../devices/gic.ts",         false, false],
  ["machine/devices/gic.ts",     "../memory/physical.ts",     true,  true],
  ["machine/devices/gic.ts",     "../cpu/core.ts",            false, true],
  ["machine/devices/gic.ts",     "../engine/reference.ts",    false, false],
  ["machine/devices/gic.ts",     "../machine.ts",             false, false],
  ["machine/machine.ts",         "./devices/gic.ts",          true,  true],
  ["machine/board_virt.ts",      "./engine/reference.ts",     true,  true],
  ["machine/cpu/core.ts",        "../board_virt.ts",          false, false],
  ["machine/clock.ts",           "./scheduler.ts",            false, false],
  ["machine/machine.ts",         "../journal/file.ts",        false, false],
  ["machine/machine.ts",         "../firmware/boot.ts",       false, false],
  ["machine/machine.ts",         "@std/streams",              false, false],
  ["hypervisor/trap.ts",         "../machine/machine.ts",     true,  true],
  ["hypervisor/trap.ts",         "../machine/cpu/core.ts",    true,  true],
  ["hypervisor/trap.ts",         "../journal/file.ts",        false, false],
  ["firmware/boot.ts",           "../hypervisor/trap.ts",     false, false],
  ["journal/file.ts",            "../machine/machine.ts",     true,  true],
  ["journal/file.ts",            "../firmware/boot.ts",       false, false],
  ["journal/file.ts",            "../cli/main.ts",            false, false],
  ["journal/file.ts",            "msgpackr/index-no-eval",    true,  true],
  ["journal/file.ts",            "msgpackr",                  false, false],
  ["journal/file.ts",            "npm:chalk@5",               false, false],
  ["journal/file.ts",            "node:zlib",                 true,  true],
  ["cli/record.ts",              "../journal/file.ts",        true,  true],
  ["cli/host/guests.ts",         "@std/cli",                  true,  true],
  ["cli/record.ts",              "../tests/support.ts",       false, false],
  ["mod.ts",                     "./machine/machine.ts",      true,  true],
  ["mod.ts",                     "./tests/support.ts",        false, false],
  ["std/cli.ts",                 "../machine/errors.ts",      false, false],
  ["std/cli.ts",                 "node:util",                 true,  true],
  ["tests/machine/a_test.ts",    "../../cli/main.ts",         true,  true],
  ["bench/cpu_bench.ts",         "../machine/machine.ts",     true,  true],
  ["cli/record.ts",              "../unknown/file.ts",        false, false],
];

for (const [from, to, value, type] of EDGES) {
  Deno.test(`imports-downward ${from} to ${to}: value ${value}, type ${type}`, () => {
    const allows = (source: string): boolean => findings("imports-downward", from, source).length === 0;
    // deno-fmt-ignore
    const forms: [source: string, allowed: boolean][] = [
      [`import { a } from "${to}";`, value],
      [`import * as a from "${to}";`, value],
      [`import "${to}";`, value],
      [`import { a, type B } from "${to}";`, value],
      [`export { a } from "${to}";`, value],
      [`export * from "${to}";`, value],
      [`const a = import("${to}");`, value],
      [`import type { A } from "${to}";`, type],
      [`import { type A } from "${to}";`, type],
      [`export type { A } from "${to}";`, type],
      [`type A = import("${to}").A;`, type],
    ];
    for (const [source, allowed] of forms) assertEquals(allows(source), allowed, source);
  });
}

Deno.test("imports-downward reports a file that belongs to no layer", () => {
  assertEquals(findings("imports-downward", "machine/stray/file.ts", "f();").length, 1);
  assertEquals(findings("imports-downward", "scripts/build.ts", "f();").length, 1);
});
