/** The project's own lint rules: purity of the machine, conditions on IR values, and which folder may import which. */
const plugin: Deno.lint.Plugin = { name: "hindsight", rules: {} };
export default plugin;
