/* Starts Swagger UI, and names what it leaves without a name for those who do not see the page. */
"use strict";

const NAMES = [
    ["select#servers", "Server"],
    [".content-type", "Media type"],
    [".parameters select", "Value"],
    [".parameters input", "Value"],
    ["textarea", "Body"],
    [".filter input", "Filter"],
    [".model-box-control, .model-toggle", "Show or hide"],
];

function nameControls(root) {
    for (const [selector, name] of NAMES) {
        for (const control of root.querySelectorAll(selector)) {
            if (!control.hasAttribute("aria-label")) {
                control.setAttribute("aria-label", name);
            }
        }
    }
}

const place = document.getElementById("swagger-ui");
const settings = JSON.parse(document.getElementById("swagger-settings").textContent);
let waiting = false;
new MutationObserver(() => {
    if (!waiting) {
        waiting = true;
        requestAnimationFrame(() => {
            waiting = false;
            nameControls(place);
        });
    }
}).observe(place, { childList: true, subtree: true });

/* At the start Swagger UI resolves the references in the ways of signing in, for which it works through the whole
   document: a third of the time in which the page answers nobody. There are none in them. */
const SCHEMES = "components/securitySchemes";
const SchemesAsTheyAre = () => ({
    statePlugins: {
        spec: {
            wrapActions: {
                requestResolvedSubtree: (resolve, system) => (path) => {
                    if (path.join("/") !== SCHEMES) {
                        return resolve(path);
                    }
                    const schemes = system.specSelectors.specJson().getIn(path);
                    return system.specActions.updateResolvedSubtree(path, schemes ? schemes.toJS() : {});
                },
            },
        },
    },
});

SwaggerUIBundle({
    ...settings,
    dom_id: "#swagger-ui",
    presets: [SwaggerUIBundle.presets.apis],
    plugins: [SchemesAsTheyAre],
});
