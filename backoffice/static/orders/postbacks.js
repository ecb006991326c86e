"use strict";

// The rows of an order's postbacks, which htmx swaps: what does not bring the row is not put in its place, what goes
// wrong with a retry is left to the browser, and the focus stays in the row.
{
    const rowOf = (element) => element?.closest?.(".ui-postback");
    let focused = null; // the id of the row that is being swapped and has the focus

    function sendPlainly(form) {
        if (form?.matches?.("form.ui-row-side")) form.submit();
    }

    document.addEventListener("htmx:beforeSwap", (event) => {
        const row = rowOf(event.detail.target);
        if (!row || event.detail.isError) return;
        if (!event.detail.serverResponse.includes(`id="${row.id}"`)) {
            event.detail.shouldSwap = false; // such as the login page
            sendPlainly(event.detail.requestConfig.elt);
            return;
        }
        if (row.contains(document.activeElement)) focused = row.id;
    });

    document.addEventListener("htmx:afterSettle", () => {
        if (!focused) return;
        const row = document.getElementById(focused);
        focused = null;
        if (document.activeElement === document.body) row?.querySelector("a").focus({ preventScroll: true });
    });

    for (const failure of ["htmx:responseError", "htmx:sendError"]) {
        document.addEventListener(failure, (event) => sendPlainly(event.detail.elt));
    }
}
