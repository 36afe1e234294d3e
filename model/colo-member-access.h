/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_MEMBER_ACCESS_H
#define COLO_MEMBER_ACCESS_H

/*
 * Internal, for .cc files only. A whole guest cannot be cloned through ns-3's public interface:
 * port counters, IP identifications and send buffers are private. The C++ standard ignores access
 * in explicit instantiations ([temp.spec]), which is used here to name such a member without
 * changing ns-3.
 */
namespace ns3
{

/**
 * \ingroup colo
 * Defines the function that hands out a pointer to a private member.
 * \tparam Tag names the member, see COLO_MEMBER_ACCESS.
 * \tparam member the pointer to it.
 */
template <typename Tag, typename Tag::Pointer member>
struct ColoMemberAccess
{
    /**
     * \return the pointer to the member
     */
    friend typename Tag::Pointer Member(Tag)
    {
        return member;
    }
};

} // namespace ns3

/**
 * \ingroup colo
 * After COLO_MEMBER_ACCESS(Tag, Class, m_x, int), `object.*Member(Tag())` is Class's private m_x.
 * The type comes last because it may contain commas. Used in namespace ns3 itself, so a tag's
 * name must be the only one in the library.
 */
#define COLO_MEMBER_ACCESS(Tag, Class, name, ...)                                                  \
    struct Tag                                                                                     \
    {                                                                                              \
        using Type = __VA_ARGS__;                                                                  \
        using Pointer = Type Class::*;                                                             \
        friend Pointer Member(Tag);                                                                \
    };                                                                                             \
    template struct ColoMemberAccess<Tag, &Class::name>

#endif /* COLO_MEMBER_ACCESS_H */
