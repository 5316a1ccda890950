/** The plot: one SVG, with every curve and mark in its place. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { plotSvg } from "../../../../cli/systems/time_scale/plot.ts";

Deno.test("plotSvg puts curves, marks and axes into one file", () => {
  const svg = plotSvg("a < b", [{ name: "guest & more", points: [[0, 0], [50, 200], [100, 200]] }], [
    { at: 50, text: "freeze" },
  ]);
  assertStringIncludes(svg, "a &lt; b");
  assertStringIncludes(svg, "guest &amp; more");
  assertStringIncludes(svg, ">freeze</text>");
  // The curve: from the lower left corner up to the top in the middle, then level to the right.
  assertStringIncludes(svg, 'd="M80.00 540.00L510.00 50.00L940.00 50.00"');
  assertEquals(svg.match(/<svg /g)?.length, 1);
  assert(!/href|url\(|<image|<script/.test(svg), "it refers to something outside");
  assertEquals(
    svg,
    plotSvg("a < b", [{ name: "guest & more", points: [[0, 0], [50, 200], [100, 200]] }], [
      { at: 50, text: "freeze" },
    ]),
  );
});
