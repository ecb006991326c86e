"use strict";

// Selects that search: what Django's select2 shows in their place bears their label. Registered after Django's own.
django.jQuery(() => {
    for (const select of document.querySelectorAll(".ui-field select.admin-autocomplete")) {
        for (const shown of select.nextElementSibling.querySelectorAll("[role=combobox], [role=textbox]")) {
            shown.setAttribute("aria-labelledby", `${select.id}_label select2-${select.id}-container`);
        }
    }
});
