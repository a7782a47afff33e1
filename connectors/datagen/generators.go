package datagen

import (
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/wasmstream/wasmstream/connectors/data"
)

func lower(s string) string { return strings.ToLower(s) }

var (
	userSchema = data.NewStructSchema().Name("ksql.users").Field("registertime", data.Int64Schema).Field("userid", data.StringSchema).
			Field("regionid", data.StringSchema).Field("gender", data.StringSchema).MustBuild()
	addressSchema = data.NewStructSchema().Name("ksql.address").Field("city", data.StringSchema).Field("state", data.StringSchema).
			Field("zipcode", data.Int64Schema).MustBuild()
	orderSchema = data.NewStructSchema().Name("ksql.orders").Field("ordertime", data.Int64Schema).Field("orderid", data.Int32Schema).
			Field("itemid", data.StringSchema).Field("orderunits", data.Float64Schema).Field("address", addressSchema).MustBuild()
	viewSchema = data.NewStructSchema().Name("ksql.pageviews").Field("viewtime", data.Int64Schema).Field("userid", data.StringSchema).
			Field("pageid", data.StringSchema).MustBuild()
)

// firstMillis is the first of the times that are made up.
const firstMillis = 1_487_715_775_521

// generators make record n of a kind.
var generators = map[string]func(r *rand.Rand, n int64, slab *data.Slab) (key, value data.SchemaAndValue){
	"users": func(r *rand.Rand, _ int64, slab *data.Slab) (key, value data.SchemaAndValue) {
		user := data.StringValue("User_" + strconv.Itoa(1+r.IntN(9)))
		v := slab.Values(4)
		v[0] = data.Int64Value(firstMillis + r.Int64N(1<<35))
		v[1] = user
		v[2] = data.StringValue("Region_" + strconv.Itoa(1+r.IntN(9)))
		v[3] = data.StringValue([]string{"MALE", "FEMALE", "OTHER"}[r.IntN(3)])
		return text(user), structOf(slab, userSchema, v)
	},
	"orders": func(r *rand.Rand, n int64, slab *data.Slab) (key, value data.SchemaAndValue) {
		a := slab.Values(3)
		a[0] = data.StringValue("City_" + strconv.Itoa(r.IntN(100)))
		a[1] = data.StringValue("State_" + strconv.Itoa(r.IntN(100)))
		a[2] = data.Int64Value(10000 + r.Int64N(90000))
		v := slab.Values(5)
		v[0] = data.Int64Value(firstMillis + r.Int64N(1<<35))
		v[1] = data.Int32Value(int32(n))
		v[2] = data.StringValue("Item_" + strconv.Itoa(r.IntN(1000)))
		v[3] = data.Float64Value(float64(r.IntN(100000)) / 10000)
		v[4] = data.StructValue(slab.StructOf(addressSchema, a))
		return data.SchemaAndValue{Schema: data.Int32Schema, Value: v[1]}, structOf(slab, orderSchema, v)
	},
	"pageviews": func(r *rand.Rand, n int64, slab *data.Slab) (key, value data.SchemaAndValue) {
		v := slab.Values(3)
		v[0] = data.Int64Value(n*10 + 1)
		v[1] = data.StringValue("User_" + strconv.Itoa(1+r.IntN(9)))
		v[2] = data.StringValue("Page_" + strconv.Itoa(10+r.IntN(90)))
		return data.SchemaAndValue{Schema: data.Int64Schema, Value: v[0]}, structOf(slab, viewSchema, v)
	},
}

func text(v data.Value) data.SchemaAndValue {
	return data.SchemaAndValue{Schema: data.StringSchema, Value: v}
}

func structOf(slab *data.Slab, s *data.Schema, values []data.Value) data.SchemaAndValue {
	return data.SchemaAndValue{Schema: s, Value: data.StructValue(slab.StructOf(s, values))}
}
