// Brings in what has arrived since, without closing what a person has opened or moving their focus.
"use strict";

const main = document.querySelector("main");
const status = document.getElementById("summary");
const list = document.getElementById("arrived");
let shown = { status: status.innerHTML, list: list.innerHTML };

function replaceList(html) {
  const open = [...list.querySelectorAll("details[open]")].map((details) => details.id);
  const focused = list.contains(document.activeElement) ? document.activeElement.id : "";
  list.innerHTML = html;
  for (const id of open) {
    const details = document.getElementById(id);
    if (details) details.open = true;
  }
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

function isSelecting() {
  const selection = getSelection();
  return !selection.isCollapsed && list.contains(selection.anchorNode);
}

async function refresh() {
  if (document.hidden || isSelecting()) return;
  let fresh;
  try {
    const answer = await fetch(location.href, { redirect: "error" });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  } catch {
    status.textContent = "This page is out of date: Tidings does not answer, or you have been logged out.";
    shown.status = "";
    return;
  }
  const found = {
    status: fresh.getElementById("summary").innerHTML,
    list: fresh.getElementById("arrived").innerHTML,
  };
  if (found.status !== shown.status) status.innerHTML = found.status;
  if (found.list !== shown.list && !isSelecting()) replaceList(found.list);
  else found.list = shown.list;
  shown = found;
}

(async () => {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, main.dataset.refreshSeconds * 1000));
    await refresh();
  }
})();
