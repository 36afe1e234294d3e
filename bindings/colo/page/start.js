// SPDX-License-Identifier: GPL-2.0-only
/* Fills the places that the page has kept free. */

const DATA = JSON.parse(document.getElementById("data").textContent);

document.querySelectorAll("[data-sweep]").forEach((root) => new PointTable(root, DATA.sweep));
document.querySelectorAll("[data-run]").forEach((root) =>
  new Timeline(root, DATA.runs[Number(root.dataset.run)]));
