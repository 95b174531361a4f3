/* What the admin protocol carries comes out as it went in. */
#include "dictd/protocol/admin.h"
#include "tests/unit/unit.h"

static void test_bytes_round_trip(void)
{
    char bytes[256];
    size_t i;

    for (i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(unsigned char)i;
    for (i = 0; i <= sizeof bytes; i++) {
        struct slice in = slice_of(bytes + sizeof bytes - i, i);
        json_t *object = admin_object();
        struct buf out = {NULL, 0, 0};

        admin_set_bytes(object, "key", in);
        CU_ASSERT(admin_get_bytes(object, "key", &out));
        CU_ASSERT(slice_eq(buf_slice(&out), in));
        CU_ASSERT_EQUAL(json_object_size(object), 1);
        json_decref(object);
        buf_fini(&out);
    }
}

static void test_answer_round_trip(void)
{
    const struct answer answers[] = {answer_found(slice_of("\xff", 1)), answer_not_found(),
                                     answer_temp("why"), answer_perm("what")};
    size_t i;

    for (i = 0; i < sizeof answers / sizeof *answers; i++) {
        json_t *object = admin_object();
        struct buf text = {NULL, 0, 0};
        enum answer_status status;

        CU_ASSERT_FALSE(admin_get_answer(object, &status, &text));
        admin_set_answer(object, &answers[i]);
        CU_ASSERT(admin_get_answer(object, &status, &text));
        CU_ASSERT_EQUAL(status, answers[i].status);
        CU_ASSERT(slice_eq(buf_slice(&text), answers[i].text));
        json_decref(object);
        buf_fini(&text);
    }
}

int main(void)
{
    return unit_run("admin_protocol", (struct unit_test[]){
                                          {"bytes there and back", test_bytes_round_trip},
                                          {"answers there and back", test_answer_round_trip},
                                          {NULL, NULL},
                                      });
}
