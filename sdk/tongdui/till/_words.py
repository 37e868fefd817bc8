"""The words that tills write, in English and Chinese: names of columns, statuses, units, footers and fuel grades.

They are compared by `word`, so that case, width, spaces and punctuation do not matter. Nothing here decides what a row is
worth: a mapping does. These words tell what must be asked of the mapping, and what `tongdui till inspect` proposes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

_BRACKETS = re.compile(r"[(\[{【「〔][^()\[\]{}]*[)\]}】」〕]")
_NOT_A_WORD = re.compile(r"[\W_]+")


def word(text: str) -> str:
    """The form that words are compared in: letters and digits only, case-folded, full width as half width."""
    return _NOT_A_WORD.sub("", unicodedata.normalize("NFKC", text).casefold())


def column_word(name: str) -> str:
    """The form that names of columns are compared in: a `word` without what stands in brackets, as in `金额(元)`."""
    folded = unicodedata.normalize("NFKC", name)
    return word(_BRACKETS.sub("", folded)) or word(folded)


SITE_COLUMNS = (
    "store", "store no", "store number", "store id", "store code", "store name", "shop", "shop no", "shop id", "shop name",
    "site", "site no", "site id", "site name", "station", "station no", "station id", "station name", "branch",
    "branch no", "branch name", "outlet", "filiale", "门店", "门店号", "门店编号", "门店编码", "门店名称", "店铺",
    "店铺名称", "店铺编号", "店号", "店名", "站点", "站点名称", "站点编号", "油站", "油站名称", "油站编号", "加油站",
    "加油站名称", "加油站编号", "站号", "站名", "网点", "网点名称", "网点编号", "分店",
)  # fmt: skip
"""Columns that say in which shop a sale was: shops use the same numbers, as tills do."""

DISCOUNT_COLUMNS = (
    "discount", "discount amount", "line discount", "total discount", "discounts", "coupon amount", "rebate", "rabatt",
    "优惠", "优惠金额", "折扣", "折扣金额", "折扣额", "折让", "折让金额", "让利", "让利金额", "抵扣金额", "减免金额",
    "优惠券金额", "立减金额", "满减金额",
)  # fmt: skip
"""Columns of discounts, which amounts may or may not be less of already."""

COLUMN_NAMES: Mapping[str, tuple[str, ...]] = {
    "time": (
        "time", "datetime", "date time", "timestamp", "sale time", "transaction time", "trans time", "txn time",
        "sold at", "created at", "paid at", "order time", "invoice date", "transaction date time", "business time",
        "payment time", "local time", "交易时间", "销售时间", "时间", "加油时间", "付款时间", "支付时间", "下单时间",
        "订单时间", "结账时间", "消费时间", "开单时间", "完成时间", "交易日期时间", "日期时间", "创建时间",
        "收款时间", "打印时间", "单据时间",
    ),
    "date": (
        "date", "sale date", "transaction date", "trans date", "txn date", "business date", "business day",
        "order date", "day", "交易日期", "销售日期", "日期", "营业日期", "营业日", "加油日期", "订单日期", "消费日期",
        "结账日期", "单据日期",
    ),
    "sale": (
        "sale number", "sale", "sale no", "sale id", "receipt", "receipt number", "receipt no", "receipt id",
        "invoice", "invoice no", "invoice number", "ticket", "ticket number", "ticket no", "transaction",
        "transaction number", "transaction no", "transaction id", "trans no", "trans id", "txn", "txn no", "txn id",
        "order", "order number", "order no", "order id", "bill no", "bill number", "bon", "serial no",
        "serial number", "document number", "voucher no", "流水号", "交易流水号", "销售流水号", "小票号", "小票编号",
        "小票号码", "小票流水号", "交易号", "交易编号", "交易单号", "单号", "销售单号", "销售单", "订单号",
        "订单编号", "单据号", "单据编号", "凭证号", "收银单号", "账单号", "流水", "流水编号", "加油流水号", "票号",
    ),
    "customer": (
        "customer", "customer id", "customer no", "customer number", "customer code", "member", "member id",
        "member no", "member number", "member card", "member card no", "loyalty card", "loyalty card no",
        "loyalty id", "loyalty number", "card", "card no", "card number", "card id", "client", "client id", "phone",
        "mobile", "phone number", "会员卡号", "会员号", "会员编号", "会员卡", "会员", "会员id", "会员代码", "卡号",
        "加油卡号", "油卡号", "客户卡号", "客户编号", "客户号", "客户代码", "客户", "顾客", "顾客编号", "顾客卡号",
        "积分卡号", "会员手机号", "会员手机", "手机号", "手机号码",
    ),
    "article": (
        "article", "article no", "article number", "article name", "product", "product code", "product name",
        "product id", "item", "item code", "item name", "item no", "item number", "sku", "stock code", "plu", "goods",
        "goods name", "grade", "fuel", "fuel grade", "fuel type", "barcode", "description", "ean", "商品名称", "商品",
        "商品编码", "商品编号", "商品代码", "品名", "货号", "货品", "货品名称", "油品", "油品名称", "油品编号",
        "油号", "油品型号", "产品", "产品名称", "品种", "名称", "条码", "商品条码", "品项",
    ),
    "quantity": (
        "quantity", "qty", "quantity sold", "units sold", "volume", "litres", "liters", "litre", "liter", "pieces",
        "count", "数量", "销售数量", "加油量", "加油升数", "升数", "油量", "加油数量", "交易数量", "体积", "件数",
        "销量", "重量", "购买数量",
    ),
    "unit": ("unit", "units", "uom", "unit of measure", "measure", "单位", "计量单位", "销售单位", "计价单位"),
    "amount": (
        "amount", "line amount", "line total", "net amount", "amount paid", "total", "total amount", "total price",
        "sum", "value", "sales amount", "extended price", "paid", "gross amount", "amount due", "实收金额",
        "实付金额", "实收", "实付", "金额", "销售金额", "交易金额", "成交金额", "加油金额", "消费金额", "商品金额",
        "总金额", "合计金额", "小计", "支付金额", "应收金额", "应付金额", "总价", "总额", "应收",
    ),
    "unit_price": (
        "unit price", "price", "price per unit", "item price", "price each", "net price", "sale price", "单价",
        "销售单价", "价格", "售价", "成交单价", "成交价", "实际单价", "油价", "挂牌价", "零售价",
    ),
    "till": (
        "till", "till no", "till number", "till id", "pos", "pos no", "pos id", "pos number", "terminal",
        "terminal id", "terminal no", "register", "register no", "register id", "cash register", "cash desk",
        "checkout", "lane", "workstation", "收银机", "收银机号", "收银机编号", "收银台", "收银台号", "机号",
        "pos机号", "pos机", "pos号", "pos编号", "终端", "终端号", "终端编号", "款台", "款台号", "款机号",
        "kasse", "kassen nr", "kassennummer", "kassa", "caisse", "caja", *SITE_COLUMNS,
    ),
    "original": (
        "original", "original sale", "original sale number", "original receipt", "original receipt no",
        "original invoice", "original transaction", "original transaction id", "original order", "original number",
        "refund of", "return of", "原单号", "原流水号", "原交易号", "原交易流水号", "原小票号", "原订单号",
        "原销售单号", "原单据号", "退货原单号", "原交易单号",
    ),
}  # fmt: skip
"""What tills call the columns of a mapping, the most telling names first."""

PAYMENT_COLUMNS = (
    "payment", "payment method", "payment type", "pay method", "pay type", "tender", "tender type",
    "method of payment", "paid by", "支付方式", "付款方式", "结算方式", "收款方式", "支付类型", "支付渠道",
    "付款类型", "支付", "付款",
)  # fmt: skip
"""Columns that say how a sale was paid: they may vary without meaning for points."""

STATUS_COLUMNS = (
    "status", "state", "sale status", "transaction status", "transaction state", "order status", "order state",
    "payment status", "payment state", "row status", "line status", "receipt status", "result", "void", "voided",
    "is void", "is voided", "cancelled", "canceled", "is cancelled", "deleted", "is deleted", "valid", "is valid",
    "refunded", "is refunded", "training", "training mode", "transaction type", "trans type", "txn type", "sale type",
    "type", "row type", "line type", "record type", "order type", "flag", "状态", "交易状态", "订单状态", "支付状态",
    "付款状态", "单据状态", "小票状态", "销售状态", "结算状态", "行状态", "作废", "是否作废", "作废标志", "是否有效",
    "有效", "有效标志", "是否退货", "是否退款", "退款状态", "退货标志", "交易类型", "销售类型", "单据类型", "类型",
    "业务类型", "订单类型", "标志", "标记", "交易结果", "是否取消", "是否撤销", "撤销标志",
)  # fmt: skip
"""Columns that say whether a row counts."""

COUNTED = (
    "paid", "settled", "completed", "complete", "success", "successful", "succeeded", "ok", "done", "closed",
    "captured", "approved", "sale", "sold", "normal", "valid", "finished", "posted", "confirmed", "finalized",
    "finalised", "已支付", "已付款", "已付", "已结算", "已结账", "已完成", "完成", "成功", "交易成功", "支付成功",
    "正常", "有效", "销售", "正常销售", "消费", "已收款", "已确认", "已成交", "交易完成", "结清",
)  # fmt: skip
"""Statuses of rows that most probably count."""

NOT_COUNTED = (
    "void", "voided", "cancelled", "canceled", "cancel", "aborted", "abort", "failed", "failure", "declined",
    "rejected", "deleted", "pending", "open", "unpaid", "training", "test", "draft", "suspended", "parked", "expired",
    "invalid", "error", "authorised", "authorized", "held", "no sale", "timeout", "作废", "已作废", "取消", "已取消",
    "撤销", "已撤销", "撤单", "失败", "交易失败", "支付失败", "未支付", "待支付", "未付款", "待付款", "未结算",
    "未完成", "挂单", "已删除", "删除", "无效", "测试", "培训", "练习", "已关闭", "已拒绝", "预授权", "异常", "超时",
    "未成功", "已冲正", "冲正", "废单", "关闭",
)  # fmt: skip
"""Statuses of rows that most probably do not count."""

STATUS_UNSURE = (
    "refund", "refunded", "partially refunded", "return", "returned", "reversed", "reversal", "chargeback",
    "adjusted", "corrected", "exchange", "exchanged", "credit", "processing", "corrected", "correction",
    "credit note", "退款", "已退款", "部分退款", "退货", "已退货", "退单", "退油", "冲红", "红冲", "调整", "更正",
    "换货", "处理中",
)  # fmt: skip
"""Words of a status that does not say whether its row counts: a refund may be the row that takes back, or the sale taken back."""

MEASURED_UNITS = (
    "l", "ltr", "litre", "litres", "liter", "liters", "ml", "kg", "kgs", "g", "gram", "grams", "kilogram",
    "kilograms", "lb", "lbs", "gal", "gallon", "gallons", "m3", "nm3", "kwh", "t", "m", "cm", "m2", "oz", "升",
    "公升", "毫升", "公斤", "千克", "克", "斤", "吨", "立方", "立方米", "标方", "加仑", "米", "度", "两", "千瓦时",
)  # fmt: skip
"""Units of goods that are measured, not counted."""

MEASURES: Mapping[str, tuple[str, ...]] = {
    "l": ("l", "ltr", "litre", "litres", "liter", "liters", "升", "公升"),
    "kg": ("kg", "kgs", "kilogram", "kilograms", "公斤", "千克"),
    "kwh": ("kwh", "度", "千瓦时"),
}
"""What tills call the units that measures are told in."""

PIECE_UNITS = (
    "pcs", "pc", "piece", "pieces", "ea", "each", "unit", "units", "item", "items", "bottle", "bottles", "can",
    "cans", "box", "boxes", "pack", "packs", "bag", "bags", "cup", "cups", "set", "sets", "pair", "pairs", "roll",
    "rolls", "st", "stk", "tin", "wash", "个", "件", "瓶", "罐", "盒", "包", "袋", "杯", "套", "双", "箱", "条", "支",
    "只", "张", "桶", "次", "份", "台", "卷", "听", "根", "把", "块", "片", "提", "板", "碗", "串", "枚", "对", "副",
    "粒", "排", "本",
)  # fmt: skip
"""Units of goods that are counted."""

FOOTERS = (
    "合计", "总计", "小计", "总合计", "本页合计", "本页小计", "当日合计", "合 计", "总 计", "共计", "汇总", "制表人",
    "制表", "打印时间", "打印人", "导出时间", "审核人", "以下空白", "--- end", "Total", "Grand total", "Subtotal",
    "Sub-total", "Totals", "Sum", "Summe", "End of report", "End of file", "Printed", "Exported", "Number of rows",
    "Rows:", "Report total", "*** END",
)  # fmt: skip
"""How rows begin that end a report and are no sale."""

NO_CUSTOMER = (
    "0", "NULL", "null", "Null", "/", "-", "--", "---", "\\", "\\N", "None", "none", "N/A", "n/a", "NA", "#N/A",
    "nil", "*", ".", "?", "00000000", "0000000000", "nan", "NaN", "anonymous", "Anonymous", "guest", "Guest",
    "walk-in", "Walk-in", "cash", "Cash", "散客", "无", "空", "非会员", "现金", "普通顾客", "普通客户", "零售",
    "匿名", "游客", "未知", "暂无", "无卡", "散户", "零散客户", "无会员", "training", "test", "测试", "培训", "练习",
)  # fmt: skip
"""What tills write where there was no customer."""

NO_ARTICLE = (
    "合计", "总计", "小计", "共计", "total", "subtotal", "grand total", "现金", "找零", "微信支付", "支付宝", "支付宝支付",
    "银行卡", "信用卡", "云闪付", "cash", "change", "card payment", "credit card", "debit card", "visa", "mastercard",
    "alipay", "wechat pay", "tender", "amount due", "balance due",
)  # fmt: skip
"""What tills write as the article of a row that is a total or a payment."""

CALLED_OFF = re.compile(
    r"(?<![a-z])(?:void(?:ed)?|cancell?ed|refunded|unpaid)(?![a-z])|作废|撤销|冲正|废单|已取消|未支付", re.IGNORECASE
)
"""What says within a longer text that it does not count, as in `voided by Li` or `0012-VOID`."""

DIESEL_GRADES = ("0", "5", "+5", "10", "+10", "-5", "-10", "-20", "-35", "-50")
"""Diesel grades in China: how cold it may be."""

PETROL_GRADES = ("89", "90", "92", "93", "95", "97", "98", "100", "101")
"""Petrol grades in China: the octane number."""

STANDARD_GRADES = ("92", "95", "98"), ("0", "-10")
"""The petrol and diesel grades that nearly every station in China sells."""

FUELS = (
    "汽油", "柴油", "煤油", "天然气", "液化气", "lng", "cng", "lpg", "diesel", "petrol", "gasoline", "unleaded",
    "gasoil", "kerosene", "e10", "e5", "e85", "hvo", "hvo100", "autogas",
)  # fmt: skip
"""Words in the name of an article that is fuel."""

NOT_FUEL = (
    "添加剂", "清洁剂", "清净剂", "燃油宝", "机油", "滤", "发动机油", "润滑油", "additive", "cleaner", "treatment",
    "can", "engine", "filter", "oil",
)  # fmt: skip
"""Words in the name of an article that is for fuel or engines, but is no fuel."""

TOP_UPS = (
    "充值", "储值", "预存", "售卡", "办卡", "购卡", "卡费", "工本费", "top up", "topup", "top-up", "gift card",
    "giftcard", "prepaid", "recharge", "voucher", "deposit", "押金",
)  # fmt: skip
"""Words in the name of what is paid for now and bought later: points would be given twice."""

POSTAGE = (
    "运费", "邮费", "配送费", "快递费", "打包费", "post", "postage", "carriage", "shipping", "delivery",
    "delivery fee", "freight",
)  # fmt: skip
"""Words in the name of what carrying the goods costs."""


def is_measured(unit: str) -> bool:
    """Whether goods in this unit are measured, not counted."""
    return word(unit) in _MEASURED


_MEASURED = frozenset(map(word, MEASURED_UNITS))
_MEASURES = {word(unit): measure for measure, units in MEASURES.items() for unit in units}


def measure_of(unit: str) -> str:
    """The measure that a unit is: `l`, `kg`, `kwh`, or `piece` for what is counted. Empty for another one, such as `ml`."""
    return _MEASURES.get(word(unit), "" if is_measured(unit) or not word(unit) else "piece")
