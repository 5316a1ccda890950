/** The hypervisor kernel's objects: who sees what, limits of groups, errors that tell nothing, planes that crash, turns. */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { Kernel } from "../../../../hypervisor/systems/virtual_hypervisors/kernel.ts";
import type { Instance, VmObject } from "../../../../hypervisor/systems/virtual_hypervisors/objects.ts";
import { charge, choose } from "../../../../hypervisor/systems/virtual_hypervisors/resources.ts";

const OPERATOR = "the operator", IMAGES = [{ name: "guest", address: 0x4040_0000, size: 4096 }];

/** A kernel with two instances of 8 MiB each, whose virtual machines only seem to run. */
function twoInstances() {
  const on = new Set<string>(),
    key = ({ instance, vm }: { instance: number; vm: number }) => `${instance}.${vm}`;
  const kernel = new Kernel({
    start: ({ number }, vm) => void on.add(key({ instance: number, vm: vm.number })),
    resume: () => {},
    stop: (one) => void on.delete(key(one)),
    running: (one) => on.has(key(one)) ? ({ inputs: [], log: new Uint8Array() } as never) : undefined,
    attach: () => {},
    isStorage: ({ address }) => address >= 0x4040_0000,
    planeChanged: () => {},
  });
  kernel.state = { operator: OPERATOR, pages: 4096, instances: [], floor: 0 };
  const call = (as: string, fields: object) =>
    JSON.parse(kernel.call(JSON.stringify({ as, ...fields })).text);
  const limits = { pages: 2048, devices: 3, share: 100 };
  for (const [number, name] of [[1, "alpha"], [2, "beta"]] as const) {
    const made = call(OPERATOR, {
      call: "createInstance",
      number,
      name,
      credential: `key-${name}`,
      limits,
      images: IMAGES,
    });
    assertEquals(made, { ok: {} });
  }
  const vm = (as: string, name: string, more: object = {}) =>
    call(as, { call: "createVm", name, pages: 512, image: "guest", ...more });
  return { kernel, call, vm };
}

Deno.test("a handle of another instance gives the same error as one that there never was, whatever is asked", () => {
  const { kernel, call, vm } = twoInstances();
  const mine = vm("key-alpha", "one").ok.handle, theirs = vm("key-beta", "one").ok.handle;
  const group = call("key-beta", { call: "createGroup", name: "inner" }).ok.handle;
  assertNotEquals(mine, theirs);
  const before = JSON.stringify(kernel.instance(2));
  for (const wrong of [theirs, group, "v0123456789ab", ""]) {
    for (const asked of ["startVm", "stopVm", "pauseVm", "resumeVm", "deleteVm", "readConsole"]) {
      assertEquals(call("key-alpha", { call: asked, vm: wrong }), { error: "ENOENT" }, `${asked} ${wrong}`);
    }
    assertEquals(call("key-alpha", { call: "stat", of: wrong }), { error: "ENOENT" });
    assertEquals(call("key-alpha", { call: "writeConsole", vm: wrong, text: "x" }), { error: "ENOENT" });
    assertEquals(call("key-alpha", { call: "setLimits", group: wrong, pages: 1 }), { error: "ENOENT" });
    assertEquals(call("key-alpha", { call: "deleteGroup", group: wrong }), { error: "ENOENT" });
    assertEquals(vm("key-alpha", "two", { group: wrong }), { error: "ENOENT" });
  }
  assertEquals(JSON.stringify(kernel.instance(2)), before);
  assertEquals(call("nobody", { call: "list" }), { error: "EACCES" });
  assertEquals(call("key-alpha", { call: "createInstance", number: 3 }), { error: "EINVAL" });
  assertEquals(JSON.parse(kernel.call("{").text), { error: "EINVAL" });
});

Deno.test("limits hold at every group on the way up, and one instance's are not another's", () => {
  const { call, vm } = twoInstances();
  const inner =
    call("key-alpha", { call: "createGroup", name: "inner", pages: 1024, devices: 2, share: 50 }).ok.handle;
  assertEquals(call("key-alpha", { call: "createGroup", parent: inner, name: "x", pages: 1025 }), {
    error: "EINVAL",
  });
  assertEquals(call("key-alpha", { call: "createGroup", parent: inner, name: "x", share: 51 }), {
    error: "EINVAL",
  });
  assertEquals(call("key-alpha", { call: "createGroup", parent: inner, name: "x", devices: 3 }), {
    error: "EINVAL",
  });
  assertEquals(call("key-alpha", { call: "createGroup", name: "inner" }), { error: "EEXIST" });
  assertEquals(vm("key-alpha", "one", { group: inner, share: 51 }), { error: "EINVAL" });
  assertEquals(vm("key-alpha", "one", { group: inner, pages: 1 }), { error: "EINVAL" });
  assertEquals(vm("key-alpha", "one", { group: inner, pages: 1536 }), { error: "ENOMEM" });
  assert("ok" in vm("key-alpha", "one", { group: inner }));
  assertEquals(vm("key-alpha", "one", { group: inner }), { error: "EEXIST" });
  assert("ok" in vm("key-alpha", "two", { group: inner }));
  assertEquals(vm("key-alpha", "three", { group: inner, pages: 512 }), { error: "ENOMEM" });
  assertEquals(call("key-alpha", { call: "setLimits", group: inner, pages: 512 }), { error: "EBUSY" });
  assertEquals(call("key-alpha", { call: "setLimits", group: inner, pages: 4096 }), { error: "EINVAL" });
  assert("ok" in vm("key-alpha", "three"));
  assertEquals(vm("key-alpha", "four"), { error: "EBUSY" }, "three devices are all there are");
  for (const name of ["one", "two", "three"]) assert("ok" in vm("key-beta", name), name);
  assertEquals(
    call(OPERATOR, { call: "limitInstance", instance: 1, limits: { pages: 2560, devices: 9, share: 1 } }),
    {
      error: "ENOMEM",
    },
  );
});

Deno.test("what is in use is not deleted: groups with something inside, virtual machines and instances that are on", () => {
  const { call, vm } = twoInstances();
  const group = call("key-alpha", { call: "createGroup", name: "inner" }).ok.handle;
  const { handle } = vm("key-alpha", "one", { group }).ok;
  assertEquals(call("key-alpha", { call: "deleteGroup", group }), { error: "EBUSY" });
  assertEquals(call("key-alpha", { call: "startVm", vm: handle }), { ok: {} });
  assertEquals(call("key-alpha", { call: "startVm", vm: handle }), { error: "EBUSY" });
  assertEquals(call("key-alpha", { call: "deleteVm", vm: handle }), { error: "EBUSY" });
  assertEquals(call(OPERATOR, { call: "deleteInstance", instance: 1 }), { error: "EBUSY" });
  assertEquals(call("key-alpha", { call: "stopVm", vm: handle }), { ok: {} });
  assertEquals(call("key-alpha", { call: "deleteVm", vm: handle }), { ok: {} });
  assertEquals(call("key-alpha", { call: "stat", of: handle }), { error: "ENOENT" });
  assertEquals(call("key-alpha", { call: "deleteGroup", group }), { ok: {} });
  assertEquals(call(OPERATOR, { call: "deleteInstance", instance: 1 }), { ok: {} });
  assertEquals(call("key-alpha", { call: "list" }), { error: "EACCES" });
});

Deno.test("a management plane that crashed is made anew: its virtual machines are on, its handles are others", () => {
  const { kernel, call, vm } = twoInstances();
  const { handle } = vm("key-alpha", "one").ok, other = vm("key-beta", "one").ok.handle;
  call("key-alpha", { call: "startVm", vm: handle });
  assertEquals(call(OPERATOR, { call: "crashPlane", instance: 1 }), { ok: {} });
  assertEquals(call("key-alpha", { call: "stat", of: handle }), { error: "EIO" });
  assertEquals(call("key-alpha", { call: "stat", of: handle }), { error: "ENOENT" });
  const again = call("key-alpha", { call: "list" }).ok.vms;
  assertEquals(again.map(({ name }: { name: string }) => name), ["one"]);
  assertEquals(call("key-alpha", { call: "stat", of: again[0].handle }).ok.state, "on");
  assertEquals(call("key-beta", { call: "stat", of: other }).ok.state, "new");
  const saved = kernel.save(), text = JSON.stringify(kernel.state);
  const fresh = twoInstances().kernel;
  fresh.restore(saved);
  assertEquals(JSON.stringify(fresh.state), text);
});

Deno.test("choose gives turns by shares at each level of groups", () => {
  const { kernel, call, vm } = twoInstances();
  call(OPERATOR, { call: "limitInstance", instance: 2, limits: { pages: 2048, devices: 3, share: 300 } });
  const group = call("key-beta", { call: "createGroup", name: "inner", share: 20 }).ok.handle;
  vm("key-alpha", "a");
  vm("key-beta", "b", { share: 40 });
  vm("key-beta", "c", { group, share: 5 });
  vm("key-beta", "d", { group, share: 15 });
  const turns = new Map<string, number>();
  for (let turn = 0; turn < 4800; turn++) {
    const { instance, vm } = choose(kernel.state, () => true) as { instance: Instance; vm: VmObject };
    turns.set(vm.name, (turns.get(vm.name) ?? 0) + 1);
    charge(instance, vm, 1000);
  }
  // A quarter; of three quarters two thirds, and of their third a quarter and three.
  assertEquals([...turns].sort(), [["a", 1200], ["b", 2400], ["c", 300], ["d", 900]]);
});
