// A funnel's order by the generated Go client. Run with the address and a key; prints what it was told.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"sort"
)

func main() {
	ctx := context.Background()
	authorize := func(_ context.Context, request *http.Request) error {
		request.Header.Set("Authorization", "Bearer "+os.Args[2])
		return nil
	}
	api, err := NewClientWithResponses(os.Args[1], WithRequestEditorFn(authorize))
	check(err)

	products, err := api.ListProductsWithResponse(ctx, nil)
	check(err)
	var price Money
	for _, product := range products.JSON200.Results {
		if product.Sku == "course" {
			price = product.UnitPrice
		}
	}
	channel, err := api.CreateChannelWithResponse(ctx, nil, ChannelRequest{
		Name: "Go", Kind: Postback, Url: of("https://example.com/hook"),
	})
	check(err)
	_, err = api.AttachChannelWithResponse(ctx, "order.completed", nil, AttachmentRequest{Channel: channel.JSON201.Id})
	check(err)

	var contact OrderRequest_Contact
	check(contact.FromOrderContactRequest(OrderContactRequest{Email: "go@example.com", FirstName: of("Ada")}))
	opened, err := api.OpenOrderWithResponse(ctx, nil, OrderRequest{
		Source:   SenderFunnel,
		Funnel:   of("spring-launch"),
		Contact:  contact,
		Items:    []OrderItemRequest{{Sku: "course", Quantity: 1, UnitPrice: &price}},
		Shipping: of("0.07"),
	})
	check(err)
	order := opened.JSON201

	report := func(reference string, purchase TransactionRequest) *Transaction {
		purchase.Gateway, purchase.Reference = "stripe", "go-"+reference
		reported, err := api.ReportTransactionWithResponse(ctx, order.Number, nil, purchase)
		check(err)
		if reported.JSON201 == nil {
			panic(string(reported.Body))
		}
		return reported.JSON201
	}
	declined := report("1", TransactionRequest{
		Status: Declined, Amount: order.Total, DeclineCode: of("insufficient_funds"),
	})
	approved := report("2", TransactionRequest{Status: Approved, Amount: order.Total})
	report("3", TransactionRequest{
		Status: Approved, Amount: "29.00", IsUpsell: of(true),
		Items: &[]OrderItemRequest{{Sku: "mug", Quantity: 2}},
	})
	thanked, err := api.ThankBuyerWithResponse(ctx, order.Number, nil, ThankYouRequest{})
	check(err)
	refunded, err := api.GiveRefundWithResponse(ctx, order.Number, nil, RefundRequest{
		Kind: RefundKindChoiceRefund, Amount: of("0.07"), Transaction: &approved.Id,
	})
	check(err)
	final, err := api.ReadOrderWithResponse(ctx, order.Number)
	check(err)
	missing, err := api.ReadOrderWithResponse(ctx, "0")
	check(err)
	events, err := api.ListEventsWithResponse(ctx, &ListEventsParams{Order: &order.Number})
	check(err)
	types, completed := []string{}, ""
	for _, event := range events.JSON200.Results {
		types = append(types, event.Type)
		if event.Type == "order.completed" {
			body, err := event.Body.AsOrderCompletedEvent()
			check(err)
			completed = body.Data.Order.Total
		}
	}
	sort.Strings(types)
	deliveries, err := api.ListDeliveriesWithResponse(ctx, &ListDeliveriesParams{Channel: &channel.JSON201.Id})
	check(err)
	delivered := []string{}
	for _, delivery := range deliveries.JSON200.Results {
		delivered = append(delivered, delivery.EventType)
	}
	items := [][]any{}
	for _, item := range final.JSON200.Items {
		items = append(items, []any{item.Sku, item.Quantity, item.IsUpsell, item.Paid})
	}
	told, err := json.Marshal(map[string]any{
		"number":     final.JSON200.Number,
		"declined":   declined.Status,
		"thanked":    thanked.JSON200.Status,
		"total":      final.JSON200.Total,
		"paid_total": final.JSON200.PaidTotal,
		"refund":     refunded.JSON201.Amount,
		"items":      items,
		"missing":    missing.ApplicationproblemJSON404.Status,
		"completed":  completed,
		"events":     types,
		"deliveries": delivered,
	})
	check(err)
	fmt.Println(string(told))
}

func of[T any](value T) *T { return &value }

func check(err error) {
	if err != nil {
		panic(err)
	}
}
