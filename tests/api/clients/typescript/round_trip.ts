/* A funnel's order by the generated TypeScript types. Run with the address and a key; prints what it was told. */
import createClient from "openapi-fetch";
import type { components, paths } from "./tidings.js";

type Schemas = components["schemas"];
type Purchase = Omit<Schemas["TransactionRequest"], "gateway" | "reference">;

const [address, key] = process.argv.slice(2);
const api = createClient<paths>({ baseUrl: address!, headers: { Authorization: `Bearer ${key}` } });

/** What was answered; a refusal ends the program with its words. */
function told<T>(answer: { data?: T; error?: Schemas["Problem"] | undefined }): T {
    if (answer.data === undefined) {
        throw new Error(JSON.stringify(answer.error));
    }
    return answer.data;
}

const products: Schemas["Product"][] = told(await api.GET("/api/v1/products")).results;
const course = products.find((product) => product.sku === "course")!;
const channel = told(
    await api.POST("/api/v1/channels", {
        body: { name: "TypeScript", kind: "postback", url: "https://example.com/hook" },
    }),
);
told(
    await api.POST("/api/v1/event-types/{key}/channels", {
        params: { path: { key: "order.completed" } },
        body: { channel: channel.id },
    }),
);
const order: Schemas["Order"] = told(
    await api.POST("/api/v1/orders", {
        body: {
            source: "funnel",
            funnel: "spring-launch",
            contact: { email: "typescript@example.com", first_name: "Ada" },
            items: [{ sku: "course", quantity: 1, unit_price: course.unit_price }],
            shipping: "0.07",
        },
    }),
);
const path = { number: order.number };

async function report(reference: string, purchase: Purchase): Promise<Schemas["Transaction"]> {
    const body = { ...purchase, gateway: "stripe", reference: `typescript-${reference}` };
    return told(await api.POST("/api/v1/orders/{number}/transactions", { params: { path }, body }));
}

const declined = await report("1", { status: "declined", amount: order.total, decline_code: "insufficient_funds" });
const approved = await report("2", { status: "approved", amount: order.total });
await report("3", {
    status: "approved",
    amount: "29.00",
    is_upsell: true,
    items: [{ sku: "mug", quantity: 2 }],
});
const thanked = told(await api.POST("/api/v1/orders/{number}/thank-you", { params: { path } }));
const refund = told(
    await api.POST("/api/v1/orders/{number}/refunds", {
        params: { path },
        body: { kind: "refund", amount: "0.07", transaction: approved.id },
    }),
);
const final = told(await api.GET("/api/v1/orders/{number}", { params: { path } }));
const missing = await api.GET("/api/v1/orders/{number}", { params: { path: { number: "0" } } });
const events = told(await api.GET("/api/v1/events", { params: { query: { order: order.number } } })).results;
const completed = events.find((event) => event.type === "order.completed")!.body as Schemas["OrderCompletedEvent"];
const deliveries = told(await api.GET("/api/v1/deliveries", { params: { query: { channel: channel.id } } })).results;

console.log(
    JSON.stringify({
        number: final.number,
        declined: declined.status,
        thanked: thanked.status,
        total: final.total,
        paid_total: final.paid_total,
        refund: refund.amount,
        items: final.items.map((item) => [item.sku, item.quantity, item.is_upsell, item.paid]),
        missing: missing.error?.status,
        completed: completed.data.order.total,
        events: events.map((event) => event.type).sort(),
        deliveries: deliveries.map((delivery) => delivery.event_type),
    }),
);
